"""Which camera a command means: one of the site file, or an address that was typed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from drivers.profiles.document import read_document
from drivers.profiles.reading import Report, Section
from gateway.cameras.logins import with_password
from gateway.cameras.words import with_words
from gateway.cli.arguments import site_path_if_any
from gateway.cli.exits import CliError, Exit
from gateway.cli.reach import load
from gateway.config.camera_url import read_address
from gateway.config.problems import message_of
from gateway.secrets import SecretError
from gateway.texts import t
from vision.messages import Camera, Configure, Evidence, Model

if TYPE_CHECKING:
    import argparse

    from gateway.config.model import Site

TYPED = "camera"
"""The name of a camera that has none."""


class Meant(NamedTuple):
    """What a command is about."""

    camera: Camera
    """With its password."""
    model: Model
    site: Site | None


def add_camera(parser: argparse.ArgumentParser) -> None:
    """``CAMERA`` as a name, an address or a file; ``--kind`` for an address."""
    parser.add_argument("camera", metavar="CAMERA", help=t("cli.vision.help.camera"))
    parser.add_argument("--kind", help=t("cli.vision.help.kind"))


def meant(args: argparse.Namespace) -> Meant:
    """The camera that the arguments name.

    Raises:
        CliError: There is none such, or its password cannot be read.
    """
    path = site_path_if_any(args)
    site = load(args) if path is not None else None
    found = site.cameras.get(args.camera) if site is not None else None
    if found is None:
        typed = "/" in args.camera or Path(args.camera).exists()
        if not typed and (site is not None or not args.kind):
            known = ", ".join(site.cameras if site is not None else ())
            known = known or t("config.word.none")
            said = t("cli.vision.no_camera", found=args.camera, known=known)
            raise CliError(said, Exit.USAGE)
        return Meant(_typed(args.camera, args.kind), Model(), site)
    try:
        camera = with_password(found)
    except SecretError as exc:
        raise CliError(t("vision.said", error=exc)) from exc
    vision = site.vision if site is not None else None
    return Meant(camera, vision.model if vision else Model(), site)


def configure(meant_: Meant, folder: str) -> bytes:
    """What a child is told, as JSON."""
    told = Configure(
        group=TYPED,
        cameras=(msgspec.structs.replace(meant_.camera, heartbeat=None),),
        model=meant_.model,
        evidence=with_words(Evidence(folder=folder)),
    )
    return msgspec.json.encode(told)


def _typed(address: str, kind: str | None) -> Camera:
    """An address is held to what the site file asks of one."""
    text = msgspec.json.encode(
        {"url": address} | ({"kind": kind} if kind else {})
    ).decode()
    root, _ = read_document(text, "")
    report = Report()
    section = Section(report, root, "")
    found = read_address(section, Path(os.getcwd()))  # noqa: PTH109 - relative to it
    if found is None:
        said = "; ".join(message_of(problem) for problem in report.problems)
        raise CliError(said, Exit.USAGE)
    return Camera(name=TYPED, kind=found.kind, url=found.url)
