"""A picture of the hand with the cube, from hand.xml: python render.py hand.png

Needs MuJoCo's off-screen rendering: on a machine without a display set MUJOCO_GL=egl.
"""

import argparse
import pathlib
import struct
import zlib

import mujoco
import numpy as np

from mujoco_hand import CUBE_HALF_M, HAND, MujocoHand

COLOURS = {"palm": [0.30, 0.33, 0.38, 1], "link": [0.80, 0.81, 0.83, 1], "tip": [0.16, 0.55, 0.62, 1]}
FACES = [[0.94, 0.74, 0.20, 1], [0.87, 0.35, 0.24, 1], [0.30, 0.62, 0.38, 1],
         [0.25, 0.45, 0.75, 1], [0.95, 0.95, 0.93, 1], [0.55, 0.38, 0.66, 1]]


class Shown(MujocoHand):
    """The nominal hand with colours, a light and a table."""

    def add_cube(self, spec):
        super().add_cube(spec)
        regions = self.settings["regions"]
        for index, geom in enumerate(spec.geoms):
            tip, palm = geom.name in regions["tip_geoms"], geom.parent.name in regions["palm_bodies"]
            geom.rgba, geom.group = COLOURS["tip" if tip else "palm" if palm else "link"], 0
            if palm:  # boxes with a side in common flicker
                geom.size = np.array(geom.size) * (1 - 0.002 * index)
        cube = spec.body("cube")
        cube.geoms[0].rgba = [0.12, 0.12, 0.13, 1]
        for index, colour in enumerate(FACES):  # a tile on every side, so that turning is seen
            axis, sign = index // 2, 1 - 2 * (index % 2)
            size, place = np.full(3, 0.87 * CUBE_HALF_M), np.zeros(3)
            size[axis], place[axis] = 0.0005, sign * CUBE_HALF_M
            cube.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=size, pos=place, rgba=colour, contype=0, conaffinity=0,
                          mass=0)
        spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=[2, 2, 0.1], pos=[0, 0, -0.12], contype=0,
                                conaffinity=0, rgba=[0.66, 0.71, 0.75, 1])
        spec.worldbody.add_light(pos=[-0.2, 0.3, 0.8], dir=[0.25, -0.3, -0.8], diffuse=[0.5] * 3, specular=[0.05] * 3,
                                 castshadow=True, type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL)
        spec.visual.headlight.ambient, spec.visual.headlight.diffuse = [0.45] * 3, [0.3] * 3
        spec.visual.headlight.specular = [0.0] * 3
        spec.visual.global_.offwidth, spec.visual.global_.offheight = 1600, 1200
        spec.visual.quality.shadowsize, spec.visual.quality.offsamples = 4096, 8


def picture(hand, width, height):
    """RGB of the hand after the cube has come to rest."""
    hand.advance(2.0, hand.start_episode(b""), 1.0)
    camera = mujoco.MjvCamera()
    camera.lookat[:], camera.distance, camera.azimuth, camera.elevation = [0.112, 0.01, 0.01], 0.31, 300, -34
    renderer = mujoco.Renderer(hand.model, height, width)
    renderer.update_scene(hand.data, camera)
    return renderer.render()


def png(pixels):
    """An RGB image as the bytes of a PNG file."""
    height, width, _ = pixels.shape

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = pixels.astype(np.int16)
    left = np.concatenate([np.zeros_like(rows[:, :1]), rows[:, :-1]], axis=1)
    lines = np.concatenate([np.ones((height, 1), np.uint8), (rows - left).astype(np.uint8).reshape(height, -1)], axis=1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines.tobytes(), 9)) + \
        chunk(b"IEND", b"")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("file", type=pathlib.Path, help="PNG file to write")
    parser.add_argument("--hand", type=pathlib.Path, default=HAND, help="a hand's folder or its hand.xml")
    parser.add_argument("--width", type=int, default=800)
    parser.add_argument("--height", type=int, default=600)
    options = parser.parse_args()
    options.file.write_bytes(png(picture(Shown(options.hand, nominal=True), options.width, options.height)))


if __name__ == "__main__":
    main()
