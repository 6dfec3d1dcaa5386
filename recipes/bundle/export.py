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
from voxclone.config import AcousticConfig, ModelConfig, SpeakerEncoderConfig, VocoderConfig
from voxclone.layers.resblock import fold_weight_norm
from voxclone.models.acoustic import AcousticModel
from voxclone.models.speaker_encoder import SpeakerEncoder
from voxclone.models.vocoder import build_vocoder
from voxclone.text.symbols import SYMBOLS
from voxclone.training.checkpoint import export_part

RECIPES = Path(__file__).resolve().parent.parent


def sizes(config: Path) -> dict[str, Any]:
    """The `model` part of a recipe's config.json."""
    model: dict[str, Any] = json.loads(config.read_text(encoding="utf8"))["model"]
    return model


def trained(network: nn.Module, run: Path, prefix: str) -> nn.Module:
    """The network with the averaged weights of a run's newest checkpoint."""
    network.load_state_dict(export_part(run, prefix))
    return network.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--speaker-run", type=Path, required=True)
    parser.add_argument("--acoustic-run", type=Path, required=True)
    parser.add_argument("--vocoder-run", type=Path, required=True)
    parser.add_argument("--speaker-config", type=Path, default=RECIPES / "speaker_encoder/config.json")
    parser.add_argument("--acoustic-config", type=Path, default=RECIPES / "acoustic/config.json")
    parser.add_argument("--vocoder-config", type=Path, default=RECIPES / "vocoder/config.json")
    parser.add_argument("--card", type=Path, default=Path(__file__).with_name("card.md"))
    parser.add_argument("--voices", type=Path, help="JSON: name -> {basis, by, clips: [paths below --clips]}")
    parser.add_argument("--clips", type=Path, default=Path(), help="folder of the voices' clips")
    parser.add_argument("--name", required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    card = args.card.read_text(encoding="utf8")
    speaker = SpeakerEncoderConfig.from_dict(sizes(args.speaker_config))
    known = {"n_symbols": len(SYMBOLS), "speaker_embedding_dim": speaker.embedding_dim}
    config = ModelConfig(
        name=args.name,
        acoustic=AcousticConfig.from_dict(known | sizes(args.acoustic_config)),
        vocoder=VocoderConfig.from_dict(sizes(args.vocoder_config)),
        speaker_encoder=speaker,
    )
    generator = trained(build_vocoder(config.vocoder, weight_norm=True), args.vocoder_run, "vocoder.")
    with torch.no_grad():
        fold_weight_norm(generator)
    parts = {
        "speaker_encoder": trained(SpeakerEncoder(config.speaker_encoder), args.speaker_run, "encoder."),
        "acoustic": trained(AcousticModel(config.acoustic), args.acoustic_run, "model."),
        "vocoder": generator,
    }
    hub.save_folder(args.out, config, parts, card=card)
    if args.voices:
        model = voxclone.VoxClone.from_pretrained(args.out)
        with TemporaryDirectory() as folder:
            paths = {}
            for name, about in json.loads(args.voices.read_text(encoding="utf8")).items():
                consent = voxclone.Consent.attest(name, basis=about["basis"], by=about["by"])
                clips = [str(args.clips / clip) for clip in about["clips"]]
                paths[name] = Path(folder) / f"{name}.voice"
                model.clone(clips, name=name, consent=consent).save(paths[name])
            hub.save_folder(args.out, config, parts, card=card, voices=paths)


if __name__ == "__main__":
    main()
