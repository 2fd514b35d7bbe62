"""Rendered camera pictures with a sensor's noise, and what may happen to them."""

from __future__ import annotations

import cv2
import numpy as np

from vision.look import glance

HEIGHT, WIDTH = 360, 640


class Scene:
    """A yard with buildings, trees and a sky; always the same for a seed.

    Args:
        seed: Of the view and of its noise.
        noise: Of the sensor, grey levels.
    """

    def __init__(self, seed=1, noise=2.0):
        rng = np.random.default_rng(seed)
        sky = np.linspace(210, 170, 150)[:, None, None] * np.array([1.0, 0.95, 0.85])
        image = np.zeros((HEIGHT, WIDTH, 3), np.float32)
        image[:150] = sky
        image[150:] = (90, 105, 115)
        for _ in range(60):
            x, y = int(rng.integers(0, WIDTH - 60)), int(rng.integers(120, HEIGHT - 40))
            w, h = int(rng.integers(10, 60)), int(rng.integers(8, 40))
            image[y : y + h, x : x + w] = rng.integers(20, 220, 3)
        grain = cv2.GaussianBlur(rng.normal(0, 40, (HEIGHT, WIDTH)), (0, 0), 1.5)
        image[150:] += grain[150:, :, None].astype(np.float32)
        self.view = np.clip(image, 0, 255)
        self._rng = rng
        # Drawing noise costs most: one large field of it, cut out at random.
        shape = (HEIGHT + 64, WIDTH + 64)
        self._noise = rng.normal(0, noise, shape).astype(np.float32)

    def frame(self, light=1.0, offset=0.0, through=None):
        """A picture with fresh noise, (360, 640, 3) uint8.

        Args:
            light: Times the view.
            offset: Added to it.
            through: What the lens does to the view, before the sensor adds its noise.
        """
        x, y = self._rng.integers(0, 64, 2)
        noise = self._noise[y : y + HEIGHT, x : x + WIDTH, None]
        view = self.view if through is None else through(self.view)
        return np.clip(view * light + (offset + noise), 0, 255).astype(np.uint8)


def blurred(image, sigma=4.0):
    return cv2.GaussianBlur(image, (0, 0), sigma)


def smeared(image, share=0.4):
    """The lower part is its first row again and again."""
    out, row = image.copy(), int((1 - share) * image.shape[0])
    out[row:] = out[row]
    return out


def concealed(image, share=0.4):
    """The lower part is the grey of a lost key frame."""
    out = image.copy()
    out[int((1 - share) * image.shape[0]) :] = 130
    return out


def clocked(image, second, at=(10, 32), size=0.8):
    """A burnt-in clock, in the strip at the top or with its lower left elsewhere."""
    out, thick = image.copy(), max(1, round(2.5 * size))
    cv2.putText(out, f"12:00:{second:02d}", at, 0, size, (255, 255, 255), thick)
    return out


def covered(image, rng, share=0.7):
    """A cloth over the left of the lens, with the sensor's noise."""
    out, edge = image.astype(np.float32), int(share * image.shape[1])
    out[:, :edge] = (60, 40, 35)
    out += rng.normal(0, 2, image.shape[:2])[:, :, None]
    return np.clip(out, 0, 255).astype(np.uint8)


def shifted(image, right=50, down=-12):
    return np.roll(image, (down, right), (0, 1))


def infrared(image):
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    return cv2.merge([np.clip(grey * 0.6, 0, 255).astype(np.uint8)] * 3)


def looks(watch, frames, start_s=0.0, every_s=1.0, stream=True):
    """Shows frames to a Watch: what changed (second, fault, state), what is usable."""
    changed, usable = [], []
    for n, image in enumerate(frames):
        now = start_s + n * every_s
        seen = glance(image, now, now if stream else None)
        changed += [(now, one.fault, one.state) for one in watch.step(seen, None, now)]
        usable.append(watch.usable)
    return changed, usable
