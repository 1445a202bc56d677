"""An image computed in tiles, which are numpy arrays: the Mandelbrot set.

    python -m scoop_mpi examples/image_tiles.py mandelbrot.pgm

Tiles inside the set take far longer than those outside. They are shared out while it
runs, so no worker is left with the expensive ones. Needs numpy; most image viewers show
the file it writes.
"""

import itertools
import sys

import numpy as np

from scoop_mpi import futures

WIDTH, HEIGHT = 480, 320
TILE = 40
LIMIT = 255
XS = np.linspace(-2.2, 0.8, WIDTH)
YS = np.linspace(-1.0, 1.0, HEIGHT)


def tile(top: int, left: int) -> np.ndarray:
    """The steps in which z -> z² + c leaves the circle of radius 2, for each pixel c."""
    c = XS[left:left + TILE] + 1j * YS[top:top + TILE, np.newaxis]
    z = np.zeros_like(c)
    steps = np.zeros(c.shape, np.uint8)
    for _ in range(LIMIT):
        inside = np.abs(z) <= 2
        if not inside.any():
            break
        steps[inside] += 1
        z[inside] = z[inside] ** 2 + c[inside]
    return steps


def main() -> None:
    """Runs on the root only."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} FILE.pgm")
    tops, lefts = zip(*itertools.product(range(0, HEIGHT, TILE), range(0, WIDTH, TILE)))
    image = np.zeros((HEIGHT, WIDTH), np.uint8)
    for top, left, steps in zip(tops, lefts, futures.map(tile, tops, lefts)):
        image[top:top + TILE, left:left + TILE] = LIMIT - steps  # the set in black
    with open(sys.argv[1], "wb") as file:
        file.write(f"P5\n{WIDTH} {HEIGHT}\n{LIMIT}\n".encode())
        file.write(image.tobytes())
    print(f"{WIDTH} x {HEIGHT} pixels in {len(tops)} tiles")
    print("black pixels:", np.count_nonzero(image == 0))


if __name__ == "__main__":
    main()
