"""The settings of a run: one source for the form, the command line, the API and the store."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from vecaf.budget import parse_budget
from vecaf.config_checks import check_combinations, with_current_names
from vecaf.errors import InputError
from vecaf.options import Label, check, option, option_name, typed

LABEL_FREE, LABELS_KNOWN = "label-free", "labels-known"


@dataclass(frozen=True)
class RunConfig:
    """The settings that determine a run's result on a dataset.

    Each field's metadata holds its help, choices and bounds. `checked` enforces them.
    """

    dataset: str = option("", "The dataset to finetune on.")
    model: str = option(
        "efficientnet_lite0",
        "The pretrained vision model to finetune: any timm model name, or NAME@FILE.safetensors. "
        "The default is installed and needs no network. Choose a larger model if you have a GPU.",
    )
    vlm: str = option(
        "embedded",
        "The vision-language model that embeds captions and class names: 'embedded', or an "
        "open_clip NAME/PRETRAINED. The default is installed and needs no network. A CLIP model "
        "understands more words.",
    )
    strategy: str = option(
        "vecaf",
        "How each round selects images. Compare with 'random' to see what a strategy gains.",
    )
    strategy_options: str = option(
        "",
        "Options of the strategy, such as 'gamma=0, objective=released-code'. Leave empty for its "
        "defaults. `vecaf strategies` lists them.",
        advanced=True,
    )
    track: str = option(
        LABEL_FREE,
        "label-free: labels are expensive, so the strategy sees only the labels of selected "
        "images. labels-known: the pool is labeled and training time is limited, so the strategy "
        "sees all labels.",
        choices=(LABEL_FREE, LABELS_KNOWN),
    )
    budget: str = option(
        "5%",
        "Images to select in each round: a count (100), or a percentage (2%) of the labeled images "
        "in the pool. A run does not ask for labels: it selects among the labeled images. To "
        "choose unlabeled images, use the Select page.",
    )
    rounds: int = option(
        3,
        "How many times to select images and train. With more rounds, later selections learn from "
        "earlier ones.",
        minimum=1,
        maximum=100,
    )
    subset: str = option(
        "",
        "A saved selection to start with. The first round trains on its labeled images instead of "
        "selecting new ones.",
    )
    mode: str = option(
        "head-only",
        "head-only trains a classifier on fixed features (fastest). full also finetunes the whole "
        "model; use it if each class has at least a dozen labels. lora finetunes the model through "
        "small adapters. For lora, set the learning rate to about 0.003.",
        choices=("head-only", "lora", "full"),
    )
    epochs: int = option(
        20,
        "Passes over the training images in each round. Raise it if the training loss is still "
        "falling when a round ends.",
        minimum=1,
        maximum=1000,
    )
    patience: int = option(
        0,
        "Stop training a round after this many epochs without better validation accuracy. 0 "
        "trains all epochs. The learning-rate schedule always covers all epochs.",
        minimum=0,
        maximum=1000,
        advanced=True,
    )
    training_images: str = option(
        "keep",
        "keep: each round trains on all images selected so far. replace: each round trains only "
        "on the images it selected (labels-known only).",
        choices=("keep", "replace"),
        advanced=True,
    )
    schedule: str = option(
        "round",
        "round: the learning rate falls to zero in each round, and each round starts a new "
        "optimizer. run: the learning rate falls to zero once, over the whole run, and the "
        "optimizer keeps its state (labels-known only). Choose 'run' for many short rounds.",
        choices=("round", "run"),
        advanced=True,
    )
    head_init: str = option(
        "auto",
        "Initial weights of the classifier. text: from the class names. means: from the mean "
        "features of each class. zeros: all zero. auto uses text in the label-free track. In "
        "the labels-known track, it uses means if the pool is large. On a small pool, it uses text "
        "in head-only mode or if the strategy needs a model, and otherwise zeros.",
        choices=("auto", "zeros", "text", "means"),
        advanced=True,
    )
    batch_size: int = option(
        32,
        "Images per optimizer step. Lower it if you run out of memory.",
        minimum=1,
        maximum=4096,
    )
    lr: float = option(
        0.0003,
        "Learning rate of the vision model in full and lora mode. Layer decay lowers it for "
        "earlier layers. Lower it if the training loss is unstable.",
        minimum=1e-8,
        maximum=1.0,
    )
    head_lr: float = option(
        0.03,
        "Learning rate of the classifier on fixed features. Lower it if the loss is unstable.",
        minimum=1e-8,
        maximum=10.0,
        advanced=True,
    )
    head_weight_decay: float = option(
        0.3,
        "AdamW weight decay of the classifier on fixed features. Raise it to reduce overfitting.",
        minimum=0.0,
        maximum=10.0,
        advanced=True,
    )
    lora_rank: int = option(
        16,
        "Rank of the LoRA adapters (lora mode). A higher rank trains more parameters and needs "
        "more memory.",
        minimum=1,
        maximum=1024,
        advanced=True,
    )
    layer_decay: float = option(
        0.0,
        "Layer-wise learning-rate decay (full and lora mode): each layer group uses the learning "
        "rate of the next group, multiplied by this factor. 0 = automatic: 0.9 if the run trains "
        "on each image at most twice, falling to 0.75 at 8 times or more. A lower factor keeps "
        "early layers closer to their pretrained weights.",
        minimum=0.0,
        maximum=1.0,
        advanced=True,
    )
    augmentation: str = option(
        "auto",
        "Random crops and flips of the training images (full and lora mode). auto chooses their "
        "strength from the number of times the run trains on an image: none for up to 2, full for "
        "8 or more. Choose full if the model overfits.",
        choices=("auto", "full", "none"),
        advanced=True,
    )
    weight_decay: float = option(
        0.01,
        "AdamW weight decay of the vision model (full and lora mode). Raise it to reduce "
        "overfitting.",
        minimum=0.0,
        maximum=10.0,
        advanced=True,
    )
    label_smoothing: float = option(
        0.1,
        "Share of each training target that is spread over all classes. Raise it if the labels "
        "contain errors; 0 turns it off.",
        minimum=0.0,
        maximum=0.9,
        advanced=True,
    )
    ema: float = option(
        0.99,
        "Decay of the moving average of the weights (full and lora mode). The averaged model is "
        "evaluated and kept. Raise it for long training; 0 turns averaging off.",
        minimum=0.0,
        maximum=0.99999,
        advanced=True,
    )
    caption_weight: float = option(
        0.25,
        "How far captions move the image features: η of cross-attentive embedding augmentation "
        "(CEA) in the VeCAF paper. Raise it if your captions describe the classes well; 0 ignores "
        "captions.",
        minimum=0.0,
        maximum=1.0,
    )
    train_on_captions: str = option(
        "no",
        "Whether the classifier also trains on features moved toward captions, as in the VeCAF "
        "paper. This takes twice as many batches. Try yes if your own captions describe the "
        "classes. The strategy uses captions in both cases.",
        choices=("no", "yes"),
        advanced=True,
    )
    target_words: str = option(
        "",
        "A target domain that your images do not show, such as 'a cartoon of'. The classifier "
        "also learns from features shifted toward it. In full or lora mode of the "
        "labels-known track, only the first round uses it.",
    )
    adapt_to: str = option(
        "",
        "Dataset with images of the target domain. After the last round, the classifier adapts to "
        "the pool of that dataset, without its labels (head-only mode). If you have no such "
        "images, describe the domain in words instead.",
    )
    image_size: int = option(
        0,
        "Width and height of the model's input, in pixels. 0 chooses a size that suits your "
        "images, at most that of the pretrained model. A larger size is often more accurate, and "
        "slower.",
        minimum=0,
        maximum=1024,
        advanced=True,
    )
    views: str = option(
        "plain",
        "Copies of each image to extract features from (head-only mode). plain: the image only. "
        "mirror: averages the features of the image and its mirror image. two-sizes: appends "
        "the mean features of a smaller copy and its mirror image to the features of the image. "
        "mirror and two-sizes take about twice as long as plain. For more "
        "accuracy, switch to a larger model first.",
        choices=("plain", "mirror", "two-sizes"),
        advanced=True,
    )
    seed: int = option(
        0,
        "Seed of all random draws. The same seed selects the same images; change it to measure "
        "how much results vary.",
        minimum=0,
        maximum=2**31 - 1,
    )
    device: str = option(
        "auto", "Where to train: auto, cpu, cuda or cuda:N. auto uses a GPU if there is one."
    )
    trackers: str = option(
        "",
        "Experiment trackers that the run also reports to, separated by commas: tensorboard, "
        "mlflow, trackio. The studio shows the same curves without a tracker.",
        advanced=True,
    )

    def checked(self, label: Label = option_name) -> RunConfig:
        """Return self. Raises InputError for the first invalid field, which it calls by `label`."""
        for item in fields(self):
            check(item, getattr(self, item.name), label)
        parse_budget(self.budget)
        check_combinations(self.as_dict(), label)
        return self

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], label: Label = option_name) -> RunConfig:
        """Build from a stored mapping. Raises InputError for an unknown or ill-typed entry."""
        values = with_current_names(values)
        known = {item.name: item for item in fields(cls)}
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise InputError(
                f"Unknown setting '{unknown[0]}'. Another version of the studio may have it. Known "
                f"settings: {', '.join(known)}."
            )
        given = {name: typed(known[name], value, label) for name, value in values.items()}
        return cls(**given).checked(label)

    def as_command(self) -> str:
        """Return the equivalent command line, with only the settings that differ from defaults."""
        words = ["python", "-m", "vecaf", "run", self.dataset]
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name != "dataset" and value != item.default:
                words += [f"--{item.name.replace('_', '-')}", str(value)]
        return shlex.join(words)
