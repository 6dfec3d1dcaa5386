"""Store the mels that a model's acoustic model makes of the training speech, for `train.py --acoustic-mels`."""

import argparse
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from voxclone import hub
from voxclone.cli.ending import run_script
from voxclone.models.acoustic import AcousticModel
from voxclone.models.speaker_encoder import SpeakerEncoder
from voxclone.training.acoustic import teacher_forced
from voxclone.training.embeddings import embed_store
from voxclone.training.features import FeatureStore
from voxclone.training.manner import measure_manners
from voxclone.training.settings import read_settings
from voxclone.training.speech_data import corpus_weights, drop_stretched
from voxclone.training.voiced_speech import VoicedSpeech, voiced_batch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="folder with acoustic model and speaker encoder")
    parser.add_argument("--features", type=Path, required=True, help="the `speech` store")
    parser.add_argument("--durations", type=Path, required=True, help="from recipes/acoustic/align.py")
    parser.add_argument("--out", type=Path, required=True, help="the store of mels; what it has is kept")
    parser.add_argument(
        "--config", type=Path, default=Path(__file__).with_name("marked.json"), help="of the training that they are for"
    )
    parser.add_argument("--most", type=int, help="recordings, drawn at random; all of them if left out")
    parser.add_argument("--split", default="train", choices=("train", "valid"))
    args = parser.parse_args()

    torch.set_num_threads(1)
    config = hub.read_config(args.model)
    acoustic, encoder = AcousticModel(config.acoustic).eval(), SpeakerEncoder(config.speaker_encoder).eval()
    hub.load_weights(acoustic, args.model / "acoustic.safetensors")
    hub.load_weights(encoder, args.model / "speaker_encoder.safetensors")
    store, durations = FeatureStore.filled(args.features), FeatureStore.filled(args.durations)
    mels = FeatureStore(args.out)
    weights = corpus_weights(store.entries, read_settings(args.config)["data"]["corpus_weights"])
    known = [e for e in store.entries if e.key in weights and e.about["split"] == args.split]
    usable = drop_stretched([e for e in known if "phoneme_ids" in e.rows], store, durations)
    if args.most is not None and args.most < len(usable):
        chances = np.array([weights[e.key] * e.rows["f0"][1] for e in usable])
        drawn = np.random.default_rng(0).choice(len(usable), args.most, replace=False, p=chances / chances.sum())
        usable = [usable[i] for i in sorted(drawn)]
    frames_per_second = config.audio.sample_rate / config.audio.hop_length
    reader = acoustic.rate_reader
    manners = None if reader is None else measure_manners(store, usable, frames_per_second, reader)
    embeddings = embed_store(encoder, store, config.audio.sample_rate, {e.key for e in usable})
    speech = VoicedSpeech(store, durations, usable, embeddings, manners)
    for index, entry in enumerate(tqdm(speech.entries, desc="mels", disable=None)):
        if entry.key in mels.keys:
            continue
        torch.manual_seed(index)  # which of the speaker's recordings the voice is heard in
        with torch.inference_mode():
            made, _ = teacher_forced(acoustic, voiced_batch([speech[index]]))
        mels.append(entry.key, entry.about, {"mel": made[0].T.numpy().astype(np.float16)})
    seconds = sum(entry.rows["mel"][1] for entry in mels.entries) / frames_per_second
    print(f"{len(mels.entries)} recordings, {seconds / 3600:.1f} h")


if __name__ == "__main__":
    run_script(main)
