"""The web application: takes a picture, answers with its cut-out, silhouettes and mesh.

The server writes nothing that it receives to a file and opens no path that it receives. A request's
pictures stay in memory until it is answered, and no request sees those of another.
"""

import base64
import binascii
import dataclasses
import json
import logging
import pathlib
from collections.abc import Callable, Mapping

import anyio.to_thread
import numpy as np
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from tf_softras.geometry import Mesh, encode_mesh, eye_from_angles, n3mr_views
from tf_softras.pictures import PictureError, frame_object, read_picture
from tf_softras.reconstruction import (
    MESHES,
    Reconstructor,
    ServingError,
    mesh_from_picture,
    require_answers,
)
from tf_softras.rendering import render_views
from tf_softras.viewer import png_url, scene_of, viewer_script

MAX_UPLOAD_BYTES = 16 * 2**20
# A decoded picture takes four bytes a pixel; framing needs some more for a moment.
_MAX_PIXELS = 25_000_000
_AT_ONCE = 2
_VIEWS = 6
_SILHOUETTE_SIZE = 128
# The cut-out that people look at; the network sees a smaller one.
_SHOWN_SIZE = 256

_ASSETS = pathlib.Path(__file__).parent
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' data: blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

_logger = logging.getLogger(__name__)


class _Refused(Exception):
    """The request is refused; holds the HTTP status and a sentence for the user."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


@dataclasses.dataclass(frozen=True)
class _Asked:
    """Holds a request: the bytes of a picture and of its mask, a box around the object."""

    picture: bytes
    mask: bytes | None
    box: list[int] | None


def create_app(
    reconstructor: Reconstructor,
    *,
    samples: Mapping[str, np.ndarray],
    max_upload_bytes: int = MAX_UPLOAD_BYTES,
    allowed_hosts: list[str] | None = None,
) -> Starlette:
    """Returns the ASGI application, for uvicorn or another server.

    Args:
        reconstructor: What `open_reconstructor` or `as_reconstructor` returns. It gives meshes and
            is called from several threads.
        samples: Name -> uint8 `[height, width, 4]`: pictures that the page offers.
        max_upload_bytes: The most bytes of a picture or its mask.
        allowed_hosts: Allowed values of the Host header; None for any. It protects against pages
            of others that rebind their name to this address.

    Raises:
        ReconstructorError: The reconstructor gives voxels.
    """
    require_answers(reconstructor, *MESHES)
    limiter = anyio.CapacityLimiter(_AT_ONCE)
    offered = [{"name": name, "picture": png_url(picture)} for name, picture in samples.items()]

    async def reconstruct(request: Request) -> Response:
        try:
            asked = _asked(await _body(request, limit=3 * max_upload_bytes), max_upload_bytes)
            answer = await anyio.to_thread.run_sync(
                lambda: _answer(reconstructor, asked), limiter=limiter
            )
        except _Refused as error:
            return _json({"error": str(error)}, status=error.status)
        except PictureError as error:
            return _json({"error": str(error)}, status=422)
        except ServingError as error:
            return _json({"error": str(error)}, status=502)
        except Exception:
            _logger.exception("A picture could not be reconstructed.")
            return _json({"error": "The server failed; its log says why."}, status=500)
        return _json(answer)

    async def settings(_: Request) -> Response:
        return _json({"samples": offered, "maxUploadBytes": max_upload_bytes})

    async def viewer(_: Request) -> Response:
        return Response(viewer_script(), media_type="text/javascript", headers=_HEADERS)

    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=allowed_hosts or ["*"])
    return Starlette(
        middleware=[hosts],
        routes=[
            Route("/", _asset("page.html", "text/html")),
            Route("/page.js", _asset("page.js", "text/javascript")),
            Route("/page.css", _asset("page.css", "text/css")),
            Route("/viewer.js", viewer),
            Route("/settings", settings),
            Route("/reconstruct", reconstruct, methods=["POST"]),
        ],
    )


def _asset(name: str, media_type: str) -> Callable:
    async def respond(_: Request) -> Response:
        return FileResponse(_ASSETS / name, media_type=media_type, headers=_HEADERS)

    return respond


def _json(value: dict, *, status: int = 200) -> Response:
    return JSONResponse(value, status_code=status, headers=_HEADERS)


async def _body(request: Request, *, limit: int) -> bytes:
    """Returns the body of a request; stops reading beyond the limit."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise _Refused(413, f"request: expected at most {limit} bytes; received more")
    return bytes(body)


def _asked(body: bytes, max_bytes: int) -> _Asked:
    """Returns the picture, mask and box of a request.

    Its body is {"picture": base64, "mask": base64, "box": [left, top, right, bottom]}. Mask and box
    may be missing or null.

    Raises:
        _Refused: The request has another form, or one of the files is too large.
    """
    try:
        request = json.loads(body)
        encoded = {name: request.get(name) for name in ("picture", "mask")}
        uploads = {
            name: None if text is None else base64.b64decode(text, validate=True)
            for name, text in encoded.items()
        }
        box = request.get("box")
    except (ValueError, TypeError, AttributeError, RecursionError, binascii.Error):
        raise _Refused(
            400,
            "request: expected JSON with a picture in base64, and perhaps a mask; received "
            "another form",
        ) from None
    for name, upload in uploads.items():
        if upload is not None and len(upload) > max_bytes:
            raise _Refused(
                413, f"{name}: expected at most {max_bytes} bytes; received {len(upload)}"
            )
    if not uploads["picture"]:
        raise _Refused(400, "picture: expected a file; received none")
    if box is not None and not (
        isinstance(box, list) and len(box) == 4 and all(type(value) is int for value in box)
    ):
        raise _Refused(
            400, "box: expected four integers, left, top, right, bottom; received other values"
        )
    return _Asked(uploads["picture"], uploads["mask"], box)


def _answer(reconstructor: Reconstructor, asked: _Asked) -> dict:
    """Returns all that the page shows for a picture.

    Raises:
        PictureError: The picture cannot be used.
        _Refused: A box is given, and there is no OpenCV.
    """
    try:
        picture = read_picture(
            asked.picture, mask_path=asked.mask, box=asked.box, max_pixels=_MAX_PIXELS
        )
    except ImportError as error:
        raise _Refused(501, f"{error}") from error
    mesh, seen = mesh_from_picture(reconstructor, picture)
    return {
        "object": png_url(frame_object(picture, image_size=_SHOWN_SIZE)),
        "cutOut": png_url(seen),
        "silhouettes": _silhouettes(mesh),
        "scene": scene_of(mesh),
        "files": {
            name: base64.b64encode(content).decode()
            for file in ("mesh.glb", "mesh.obj")
            for name, content in encode_mesh(file, mesh).items()
        },
    }


def _silhouettes(mesh: Mesh) -> list[dict]:
    """Returns black silhouettes from all around the mesh: azimuths in degrees, and PNGs.

    They are shares of samples that hit the mesh: eq. 2 would leave pale lines between faces.
    """
    views = n3mr_views()
    around = {name: values[:: len(values) // _VIEWS] for name, values in views.items()}
    pictures = render_views(mesh, eye_from_angles(**around), image_size=_SILHOUETTE_SIZE)
    return [
        {"azimuth": float(azimuth), "picture": png_url(255 - picture[..., 3])}
        for azimuth, picture in zip(around["azimuth"], pictures, strict=True)
    ]
