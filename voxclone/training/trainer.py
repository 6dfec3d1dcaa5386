"""One loop for every recipe: updates by phase, schedule, average, log, validation, checkpoints and resuming."""

from __future__ import annotations

import random
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator, skip_first_batches
from accelerate.utils import DataLoaderConfiguration, DistributedDataParallelKwargs, send_to_device
from torch.utils.data import DataLoader
from tqdm import tqdm

from voxclone.errors import VoxcloneError
from voxclone.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from voxclone.training.ema import ExponentialMovingAverage
from voxclone.training.graphed import GraphedUpdates
from voxclone.training.report import LogWindow, Report
from voxclone.training.step import TrainerConfig, TrainingStep
from voxclone.training.updates import PhaseUpdates


class Trainer:
    """Trains `step` on `loader` in `folder`, from the newest checkpoint there if there is one.

    Random numbers are seeded from config.seed at every epoch and every step, and a resumed run leaves out the batches
    of the epoch that were used: it goes on as if it had not stopped, unless the loader's own random draws depend on
    more than the order of its epoch. Several processes are started by `accelerate launch`; a `DataLoader` is then
    split between them, any other iterable must give each process its own share.

    Args:
        step: Networks and losses.
        loader: Batches of one epoch, iterated again for the next; its `set_epoch(epoch)` is called if it has one.
        folder: Checkpoints, log.tsv, tensorboard/, plots/ and samples/ are written here.
        config: Length, rates and intervals.
        clock: Seconds that `max_minutes` counts; `time.process_time` where other work shares the machine.
    """

    def __init__(
        self,
        step: TrainingStep,
        loader: Iterable[Any],
        folder: Path,
        config: TrainerConfig,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.networks = step
        self._clock = clock
        self.folder = Path(folder)
        self.config = config
        self.step, self.minutes, self.epoch, self.batches_done = 0, 0.0, 0, 0
        unused = DistributedDataParallelKwargs(find_unused_parameters=len(step.phases) > 1)
        # shuffles follow from the seed and the epoch alone; epochs need not end at the same step in all processes
        sampling = DataLoaderConfiguration(even_batches=False, use_seedable_sampler=True, data_seed=config.seed)
        self._accelerator = Accelerator(
            mixed_precision=config.mixed_precision,
            dataloader_config=sampling,
            rng_types=[],
            kwargs_handlers=[unused],
        )
        self._updates = (GraphedUpdates if config.cuda_graph else PhaseUpdates)(step, config, self._accelerator)
        self._loader = self._accelerator.prepare(loader) if isinstance(loader, DataLoader) else loader
        self._ema = ExponentialMovingAverage(step, config.ema_decay)

    def fit(self) -> bool:
        """Train until the configured end, or the step's own; on SIGTERM, save and return early.

        Returns:
            Whether the end was reached.

        Raises:
            VoxcloneError: The loader is empty, losses stay non-finite, or the folder's checkpoints are damaged or of
                other networks.
        """
        self._resume()
        if self._ended():
            return True
        self.networks.train()
        report = Report(self.folder, self.step, enabled=self._accelerator.is_main_process)
        quiet = not (sys.stderr.isatty() and self._accelerator.is_main_process)
        try:
            with _stop_on_sigterm() as stop, tqdm(total=self.config.max_steps, initial=self.step, disable=quiet) as bar:
                self._run(report, stop, bar)
        finally:
            report.close()
        return self._ended()

    def _ended(self) -> bool:
        return self._finished() or self.networks.is_done()

    def _finished(self) -> bool:
        return self.config.progress(self.step, self.minutes) >= 1

    def _run(self, report: Report, stop: threading.Event, bar: tqdm[Any]) -> None:
        config, batches, window = self.config, self._batches(), LogWindow()
        started, saved = self._clock() - 60 * self.minutes, monotonic()
        stopped = False
        while not (stopped or self._finished()):
            waiting = monotonic()
            batch = next(batches)
            window.data_seconds += monotonic() - waiting
            rate = config.learning_rate * config.lr_factor(self.step + 1, self.minutes)
            seed_everything(config.seed, 1, self.step, self._accelerator.process_index)
            self._updates.update(batch, rate, window)
            self.step += 1
            self._ema.update(self.step)
            bar.update()
            self.minutes, stopped = self._agree(
                (self._clock() - started) / 60, stop.is_set() or self.networks.is_done()
            )
            report.step = self.step
            if self.step % config.log_every == 0:
                values = {"minutes": self.minutes, "learning_rate": rate, **window.means()}
                report.row(values)
                for name, value in values.items():
                    report.scalar(name, value)
                bar.set_postfix({name: f"{value:.4g}" for name, value in values.items() if name.endswith("total")})
                window = LogWindow()
            if self.step % config.validate_every == 0 or self._finished():
                self._validate(report)
            if stopped or self._finished() or monotonic() - saved >= config.checkpoint_every_seconds:
                self._save()
                saved = monotonic()

    def _batches(self) -> Iterator[Any]:
        """Endless batches from the present position, which is moved on before each is given out."""
        while True:
            seed_everything(self.config.seed, 0, self.epoch)  # alike in all processes: a shuffle must agree
            if hasattr(self._loader, "set_epoch"):
                self._loader.set_epoch(self.epoch)
            for batch in self._rest_of_epoch():
                self.batches_done += 1
                yield send_to_device(batch, self._accelerator.device)
            if self.batches_done == 0:
                raise VoxcloneError("the loader gave no batch; it must be iterable again for each epoch")
            self.epoch, self.batches_done = self.epoch + 1, 0

    def _rest_of_epoch(self) -> Iterable[Any]:
        if self.batches_done == 0:
            return self._loader
        if isinstance(self._loader, DataLoader):
            rest: Iterable[Any] = skip_first_batches(self._loader, self.batches_done)
            return rest
        return islice(self._loader, self.batches_done, None)

    def _agree(self, minutes: float, stop: bool) -> tuple[float, bool]:
        """The main process's clock, and whether any process was told to stop: all must take the same decisions."""
        if self._accelerator.num_processes == 1:
            return minutes, stop
        own = [minutes if self._accelerator.is_main_process else 0.0, float(stop)]
        both = self._accelerator.reduce(torch.tensor(own, device=self._accelerator.device), "sum").tolist()
        return both[0], both[1] > 0

    def _validate(self, report: Report) -> None:
        if self._accelerator.is_main_process:
            self.networks.eval()
            with self._ema.swapped_in(), torch.inference_mode():
                self.networks.validate(report, self.step)
            self.networks.train()

    def _save(self) -> None:
        if self._accelerator.is_main_process:
            optimizers = {phase: optimizer.state_dict() for phase, optimizer in self._updates.optimizers.items()}
            position = (self.step, self.minutes, self.epoch, self.batches_done)
            save_checkpoint(self.folder, Checkpoint(*position, self.networks.state_dict(), self._ema.state, optimizers))

    def _resume(self) -> None:
        checkpoint = load_checkpoint(self.folder)
        if checkpoint is None:
            return
        try:
            self.networks.load_state_dict(checkpoint.networks)
            self._ema.load(checkpoint.ema or checkpoint.networks)
            for phase, optimizer in self._updates.optimizers.items():
                optimizer.load_state_dict(checkpoint.optimizers[phase])
        except (RuntimeError, KeyError, ValueError) as error:
            raise VoxcloneError(
                f"the checkpoint of step {checkpoint.step} in {self.folder} is of other networks than these; "
                f"train in another folder, or give the networks and phases it was made with: {error}"
            ) from error
        self.step, self.minutes = checkpoint.step, checkpoint.minutes
        self.epoch, self.batches_done = checkpoint.epoch, checkpoint.batches_done


def begin_training(threads: int, seed: int = 0) -> None:
    """What a recipe does before it makes networks: PyTorch's threads, and a seed, so that they begin the same."""
    torch.set_num_threads(threads)
    seed_everything(seed, 2)


def seed_everything(*key: int) -> None:
    """Seed Python's, NumPy's and PyTorch's global generators from a mix of the key's numbers."""
    seed = int(np.random.SeedSequence(key).generate_state(1)[0])
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


@contextmanager
def _stop_on_sigterm() -> Iterator[threading.Event]:
    """An event that SIGTERM sets; only the main thread can receive signals, in others it is never set."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    previous = signal.signal(signal.SIGTERM, lambda *_: stop.set())
    try:
        yield stop
    finally:
        signal.signal(signal.SIGTERM, previous)
