"""From trunk features to cells: the part of the network that is trained.

One cell is 16x16 pixels. Three numbers a cell come out as logits: smoke, "the smoke is
dark", dust. The exported graph turns them into three probabilities (see ``export``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from vision.train.backbone import BLOCKS, DEEP, MIDDLE, Block, Conv, load_block

if TYPE_CHECKING:
    from torch.autograd.function import FunctionCtx

CHANGE_MAPS = 4


class Shape(NamedTuple):
    """What the candidates differ in.

    Attributes:
        head: ``context`` (two dilated depthwise blocks) or ``plain``.
        deep: Stages 6 and 7 as well, upsampled to the cells.
        change: Maps of the change against a background enter the head.
        width: Channels of the head.
    """

    head: str = "context"
    deep: bool = False
    change: bool = False
    width: int = 96


class _Held(torch.autograd.Function):
    """A depthwise convolution of stride 1 whose kernels are not trained.

    PyTorch's own gradient of a depthwise convolution is much of a step on a CPU. With
    the kernels held, what is left is a convolution with the kernels turned around.
    """

    @staticmethod
    def forward(
        context: FunctionCtx, x: Tensor, weight: Tensor, bias: Tensor
    ) -> Tensor:
        """Convolve."""
        context.weight = weight  # type: ignore[attr-defined]
        middle = weight.shape[-1] // 2
        return functional.conv2d(x, weight, bias, 1, middle, 1, len(weight))

    @staticmethod
    def backward(
        context: FunctionCtx, *gradients: Tensor
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """Pass the gradient on to the input and the bias."""
        (given,) = gradients
        weight = context.weight  # type: ignore[attr-defined]
        turned = weight.flip(2, 3).contiguous()
        middle = weight.shape[-1] // 2
        given = given.contiguous(memory_format=torch.channels_last)
        passed = functional.conv2d(given, turned, None, 1, middle, 1, len(weight))
        return passed, None, given.sum((0, 2, 3))


class HeldDepthwise(Conv):
    """A stride-1 depthwise ``Conv`` with kernels as ImageNet left them."""

    def __init__(self, plain: Conv) -> None:
        channels, kernel = plain.conv.out_channels, plain.conv.kernel_size[0]
        super().__init__(channels, channels, kernel, depthwise=True)
        self.conv.weight.requires_grad_(requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B,C,H,W)."""
        y = _Held.apply(x, self.conv.weight, self.conv.bias)
        return functional.relu6(y)


# What candidates.json chose.
WINNER = Shape(deep=True)


class Context(nn.Module):
    """Depthwise 5x5 with holes and a mix of channels, added to its input."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.look = Conv(width, width, 5, dilation=dilation, depthwise=True)
        self.mix = Conv(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the input's shape."""
        mixed: Tensor = self.mix(self.look(x))
        return x + mixed


class Net(nn.Module):
    """Stages 4, 5 (and 6, 7) and the head over cached stride-8 features."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.middle = nn.ModuleList(Block(BLOCKS[i]) for i in MIDDLE)
        self.deep = nn.ModuleList(Block(BLOCKS[i]) for i in DEEP if shape.deep)
        for block in (*self.middle, *self.deep):
            if block.depthwise.conv.stride[0] == 1:
                block.depthwise = HeldDepthwise(block.depthwise)
        joined = 40 + 112 + (320 if shape.deep else 0)
        joined += CHANGE_MAPS if shape.change else 0
        self.join = Conv(joined, shape.width)
        dilations = (2, 4) if shape.head == "context" else ()
        self.context = nn.ModuleList(Context(shape.width, d) for d in dilations)
        self.last = Conv(shape.width, 3, linear=True)
        # About one cell in fifty is positive: start there, not at a half.
        nn.init.constant_(self.last.conv.bias[0::2], -3.0)

    def forward(self, features: Tensor, change: Tensor | None = None) -> Tensor:
        """Turn (B,40,H/8,W/8) into logits (B,3,H/16,W/16).

        Args:
            features: What the trunk makes of a picture.
            change: (B,4,H/16,W/16) as ``cache.change_maps`` makes them, where the shape
                has them; zeros where no background is known.
        """
        x = features
        for block in self.middle:
            x = block(x)
        parts = [functional.avg_pool2d(features, 2), x]
        if self.shape.deep:
            for block in self.deep:
                x = block(x)
            parts.append(functional.interpolate(x, scale_factor=2.0, mode="nearest"))
        if change is not None and self.shape.change:
            parts.append(change)
        x = self.join(torch.cat(parts, 1))
        for block in self.context:
            x = block(x)
        logits: Tensor = self.last(x)
        return logits


def fresh(shape: Shape, state: dict[str, Tensor]) -> Net:
    """Return a net whose stages hold ImageNet weights and whose head is untrained."""
    net = Net(shape)
    for index, block in zip(MIDDLE, net.middle, strict=True):
        load_block(block, index, state)
    if shape.deep:
        for index, block in zip(DEEP, net.deep, strict=True):
            load_block(block, index, state)
    return net.to(memory_format=torch.channels_last)


def groups(net: Net, head_rate: float, backbone_rate: float) -> list[dict[str, object]]:
    """Split parameters for the optimizer: the head learns faster than the stages."""
    stages = [*net.middle.parameters(), *net.deep.parameters()]
    known = {id(p) for p in stages}
    stages = [p for p in stages if p.requires_grad]
    head = [p for p in net.parameters() if id(p) not in known]
    return [{"params": head, "lr": head_rate}, {"params": stages, "lr": backbone_rate}]
