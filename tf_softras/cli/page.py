"""`softras page`: a web page that makes meshes out of pictures."""

import contextlib
import ipaddress
import socket

import click

from tf_softras.cli.command import Command, WrongInput
from tf_softras.cli.options import checkpoint_option

# The server refuses more requests at one time than these.
_CONNECTIONS = 64


@click.command(
    cls=Command,
    examples=[
        "softras page",
        "softras page runs/first",
        "softras page saved_models/chair --port 8080",
        "softras page http://127.0.0.1:8501/v1/models/chair",
    ],
)
@click.argument("model", metavar="[RUN_OR_SAVEDMODEL_OR_URL]", required=False)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on. Others can use the page at another one: there is no password.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=7860, show_default=True)
@click.option(
    "--max-upload",
    type=click.IntRange(1, 64),
    default=16,
    show_default=True,
    help="Largest size of a picture, in megabytes.",
)
@checkpoint_option
def page(model, host, port, max_upload, checkpoint):
    """Open a web page on which pictures become meshes.

    Drop a picture or choose a sample. The page shows its cut-out, the mesh and its silhouettes, and
    offers the mesh as files. The network is a run's, a SavedModel's, or a model under TensorFlow
    Serving, given by its REST or gRPC address; by default it is the network that comes with
    tf_softras. Needs the extra: pip install 'tf-softras[page]'
    """
    try:
        import uvicorn

        from tf_softras.page.app import create_app
    except ModuleNotFoundError as error:
        raise WrongInput(
            f"The page needs the package {error.name}: pip install 'tf-softras[page]'"
        ) from error
    from tf_softras.datasets.shapenet_views.sample_pictures import sample_pictures
    from tf_softras.reconstruction import open_reconstructor

    app = create_app(
        open_reconstructor(model, checkpoint=checkpoint),
        samples=sample_pictures(),
        max_upload_bytes=max_upload * 2**20,
        allowed_hosts=_allowed_hosts(host),
    )
    with _listening(host, port) as listener:
        config = uvicorn.Config(
            app, log_level="warning", limit_concurrency=_CONNECTIONS, timeout_keep_alive=10
        )
        shown = f"[{host}]" if ":" in host else host
        click.echo(f"http://{shown}:{listener.getsockname()[1]}  (Ctrl-C ends it)")
        with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it after Ctrl-C.
            uvicorn.Server(config).run(sockets=[listener])


def _listening(host: str, port: int) -> socket.socket:
    """Returns a bound socket. uvicorn itself would end the process if binding fails."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise WrongInput(
            f"--host {host} --port {port}: expected an address of this machine and a free port; "
            f"received: {error.strerror or error}"
        ) from error


def _allowed_hosts(host: str) -> list[str] | None:
    """Returns the names under which a page that listens on loopback may be asked; None for any."""
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    return ["localhost", "127.0.0.1", host] if loopback else None
