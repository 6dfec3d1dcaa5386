"""Put trained runs together into a model folder with its card and example voices."""

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn

import voxclone
from voxclone import hub
from voxclone.cli.ending import run_script
from voxclone.config import AcousticConfig, ModelConfig, SpeakerEncoderConfig, VocoderConfig
from voxclone.errors import VoxcloneError
from voxclone.layers.resblock import fold_weight_norm
from voxclone.models.acoustic import AcousticModel
from voxclone.models.aligner import Aligner
from voxclone.models.cohort import Cohort
from voxclone.models.speaker_encoder import SpeakerEncoder
from voxclone.models.vocoder import build_vocoder
from voxclone.models.watermark import WatermarkDetector
from voxclone.synthesis.reference import encoder_id
from voxclone.text.symbols import SYMBOLS
from voxclone.training.alignment import aligner_config
from voxclone.training.checkpoint import load_part
from voxclone.training.settings import read_settings

RECIPES = Path(__file__).resolve().parent.parent
PREFIXES = {"speaker_encoder": "encoder.", "acoustic": "model.", "vocoder": "vocoder.", "aligner": "aligner."}
OPTIONAL = ("aligner",)
# Parts without a run of their own, that recipes/watermark and recipes/speaker_encoder/cohort.py write into the folder.
DETECTOR, COHORT = "detector", "cohort"


def sizes(config: Path) -> dict[str, Any]:
    """The `model` part of a recipe's config.json."""
    model: dict[str, Any] = read_settings(config)["model"]
    return model


def configuration(args: argparse.Namespace, base: ModelConfig | None) -> ModelConfig:
    """Sizes of each part: its recipe's where it has a run, those of the base model where it has none."""
    of_base = {} if base is None else base.to_dict()
    speaker = SpeakerEncoderConfig.from_dict(
        sizes(args.speaker_config) if args.speaker_run else of_base["speaker_encoder"]
    )
    known = {"n_symbols": len(SYMBOLS), "speaker_embedding_dim": speaker.embedding_dim}
    return ModelConfig(
        name=args.name,
        acoustic=AcousticConfig.from_dict(
            known | sizes(args.acoustic_config) if args.acoustic_run else of_base["acoustic"]
        ),
        vocoder=VocoderConfig.from_dict(sizes(args.vocoder_config) if args.vocoder_run else of_base["vocoder"]),
        speaker_encoder=speaker,
        aligner=aligner_config() if args.aligner_run else base.aligner if base else None,
        watermark=None if base is None or args.vocoder_run else base.watermark,
        verification=None if base is None or args.speaker_run else base.verification,
    )


def trained(part: str, config: ModelConfig, run: Path | None, base: Path | None) -> nn.Module:
    """A part with the averaged weights of its run's newest checkpoint, or with those of the base model."""
    network: nn.Module
    if part == "vocoder":
        network = build_vocoder(config.vocoder, weight_norm=run is not None)
    elif part == DETECTOR:
        assert config.watermark is not None
        network = WatermarkDetector(config.watermark)
    elif part == COHORT:
        assert config.verification is not None
        network = Cohort(config.verification, config.speaker_encoder.embedding_dim)
    else:
        kind: Any = {"speaker_encoder": SpeakerEncoder, "acoustic": AcousticModel, "aligner": Aligner}[part]
        network = kind(getattr(config, part))
    if run is None:
        assert base is not None
        hub.load_weights(network, base / f"{part}.safetensors")
    else:
        load_part(network, run, PREFIXES[part])
        with torch.no_grad():
            fold_weight_norm(network)
    return network.eval()


@torch.no_grad()
def go_part_of_the_way(network: nn.Module, start: Path, share: float) -> None:
    """Bring weights back towards those that training began from, which the file holds; what it lacks stays.

    Raises:
        VoxcloneError: They are of a network of other sizes.
    """
    former, _ = hub.read_tensors(start)
    for name, value in network.state_dict().items():
        if name in former and value.is_floating_point():
            if former[name].shape != value.shape:
                raise VoxcloneError(
                    f"{start} has {name} of {tuple(former[name].shape)}, the run of {tuple(value.shape)}: "
                    "a share goes from one to the other where they are of one size"
                )
            value.lerp_(former[name].to(value), 1 - share)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for option in ("speaker", "acoustic", "vocoder", "aligner"):
        parser.add_argument(f"--{option}-run", type=Path, help="run folder; without it, the part is --base's")
    for option in ("acoustic", "vocoder"):
        parser.add_argument(
            f"--{option}-share",
            type=float,
            default=1.0,
            help=f"how far to go from --base's {option} to the run's (WiSE-FT, arXiv:2109.01903); 1: all the way",
        )
    parser.add_argument("--base", type=Path, help="model folder that gives the parts without a run, and its voices")
    parser.add_argument("--speaker-config", type=Path, default=RECIPES / "speaker_encoder/config.json")
    parser.add_argument("--acoustic-config", type=Path, default=RECIPES / "acoustic/config.json")
    parser.add_argument("--vocoder-config", type=Path, default=RECIPES / "vocoder/config.json")
    parser.add_argument("--card", type=Path, default=Path(__file__).with_name("card.md"))
    parser.add_argument("--voices", type=Path, help="JSON: name -> {basis, by, clips: [paths below --clips]}")
    parser.add_argument("--clips", type=Path, default=Path(), help="folder of the voices' clips")
    parser.add_argument("--name", required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    runs = {
        "speaker_encoder": args.speaker_run, "acoustic": args.acoustic_run, "vocoder": args.vocoder_run,
        "aligner": args.aligner_run,
    }  # fmt: skip
    lacking = [part for part, run in runs.items() if run is None and part not in OPTIONAL]
    if lacking and args.base is None:
        parser.error(f"no run for {', '.join(lacking)}: name one, or a --base model that has these parts")
    shares = {"acoustic": args.acoustic_share, "vocoder": args.vocoder_share}
    for part, share in shares.items():
        if not 0 < share <= 1 or (share < 1 and None in (args.base, runs[part])):
            parser.error(f"--{part}-share is above 0 and at most 1, and goes from --base to --{part}-run: name both")
    if args.base:
        hub.check_integrity(args.base)
    config = configuration(args, hub.read_config(args.base) if args.base else None)
    if args.aligner_run is None and config.aligner is None:
        del runs["aligner"]
    if config.watermark is not None:
        runs[DETECTOR] = None
    if config.verification is not None:
        runs[COHORT] = None
    parts = {part: trained(part, config, run, args.base) for part, run in runs.items()}
    for part, share in shares.items():
        if share < 1:
            go_part_of_the_way(parts[part], args.base / f"{part}.safetensors", share)
    card = args.card.read_text(encoding="utf8")
    voices = {path.stem: path for path in (args.base / "voices").glob("*.voice")} if args.base else {}
    if args.base and args.speaker_run is not None:
        former = trained("speaker_encoder", hub.read_config(args.base), None, args.base)
        if encoder_id(former) != encoder_id(parts["speaker_encoder"]):
            voices = {}  # another encoder's
    hub.save_folder(args.out, config, parts, card=card, voices=voices)
    if args.voices:
        model = voxclone.VoxClone.from_pretrained(args.out)
        with TemporaryDirectory() as folder:
            paths = {}
            for name, about in json.loads(args.voices.read_text(encoding="utf8")).items():
                consent = voxclone.Consent.attest(
                    name, basis=about["basis"], by=about["by"], scope=about.get("scope", ("cloning", "sharing"))
                )
                clips = [str(args.clips / clip) for clip in about["clips"]]
                paths[name] = Path(folder) / f"{name}.voice"
                model.clone(clips, name=name, consent=consent).save(paths[name])
            hub.save_folder(args.out, config, parts, card=card, voices=paths)


if __name__ == "__main__":
    run_script(main)
