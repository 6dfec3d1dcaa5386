for (const utterance of document.querySelectorAll(".utterance")) {
  const audio = utterance.querySelector("audio");
  const picture = utterance.querySelector(".picture");
  const cursor = utterance.querySelector(".cursor");
  const seconds = Number(picture.dataset.seconds);
  const follow = () => {
    cursor.style.opacity = 1;
    cursor.style.left = `${(100 * audio.currentTime) / seconds}%`;
    if (!audio.paused) requestAnimationFrame(follow);
  };
  audio.addEventListener("play", () => {
    for (const other of document.querySelectorAll("audio")) if (other !== audio) other.pause();
    follow();
  });
  audio.addEventListener("seeked", follow);
  picture.addEventListener("click", (event) => {
    const box = picture.getBoundingClientRect();
    audio.currentTime = (seconds * (event.clientX - box.left)) / box.width;
    audio.play();
  });
}
