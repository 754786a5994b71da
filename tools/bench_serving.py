"""Measures how fast a model server answers, and counts its refusals.

python tools/bench_serving.py grpc://127.0.0.1:8500/chair
"""

import ipaddress
import pathlib

import click

from tf_softras.cli.command import Command, WrongInput, wrong_input
from tf_softras.cli.options import PATH


@click.command(
    cls=Command,
    examples=[
        "python tools/bench_serving.py grpc://127.0.0.1:8500/chair",
        "python tools/bench_serving.py http://127.0.0.1:8501/v1/models/chair --signature glb",
        "python tools/bench_serving.py grpc://127.0.0.1:8500/chair --batch-size 16 --concurrency 8",
    ],
)
@click.argument("url")
@click.option("--signature", default="serving_default", show_default=True)
@click.option("--calls", type=click.IntRange(1, 100_000), default=200, show_default=True)
@click.option(
    "--concurrency",
    type=click.IntRange(1, 64),
    default=4,
    show_default=True,
    help="Calls at a time.",
)
@click.option(
    "--batch-size",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Items in a call.",
)
@click.option(
    "--time-limit",
    type=click.FloatRange(1.0, 600.0),
    default=60.0,
    show_default=True,
    help="Seconds after which no call is begun.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0.1, 120.0),
    default=30.0,
    show_default=True,
    help="Seconds that one call may take.",
)
@click.option("--picture", type=PATH, help="PNG or JPEG file to send, instead of a ball.")
@click.option("-o", "--output", type=PATH, help="Also write the figures, as JSON.")
@click.option(
    "--remote", is_flag=True, help="Allow a server on another machine: only one that is yours."
)
def bench_serving(
    url, signature, calls, concurrency, batch_size, time_limit, timeout, picture, output, remote
):
    """Call a model again and again, and print how long the answers took.

    URL is grpc://HOST:PORT/MODEL or http://HOST:PORT/v1/models/MODEL. One call is made first, and
    not counted. The exit code is 1 if any call fails.
    """
    from tf_softras._shared.files import write_json
    from tf_softras.serving import PredictError, connect, example_inputs, run_load
    from tf_softras.serving.client import Endpoint

    with wrong_input(ValueError):
        host = Endpoint.parse(url).host
    if not remote and not _is_this_machine(host):
        raise WrongInput(
            f"URL: expected a server on this machine; received '{host}'. Others need --remote"
        )
    with wrong_input(PredictError, ValueError), connect(url, timeout=timeout) as client:
        specs = client.inputs_of(signature)
        content = None if picture is None else _read(picture)
        inputs = example_inputs(specs, batch_size=batch_size, picture=content)
        client.predict(inputs, signature)
    report = run_load(
        url,
        inputs,
        signature=signature,
        calls=calls,
        concurrency=concurrency,
        time_limit=time_limit,
        timeout=timeout,
    )
    figures = {
        "url": url,
        "signature": signature,
        "batch_size": batch_size,
        "concurrency": concurrency,
        **report.to_dict(),
    }
    if output is not None:
        write_json(output, figures)
    _print(figures)
    if report.errors:
        raise click.exceptions.Exit(1)


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _read(picture: pathlib.Path) -> bytes:
    from tf_softras.export._picture_graph import MAX_PICTURE_BYTES

    with picture.open("rb") as file:
        content = file.read(MAX_PICTURE_BYTES + 1)
    if len(content) > MAX_PICTURE_BYTES:
        raise WrongInput(f"--picture: expected at most {MAX_PICTURE_BYTES} bytes; received more")
    return content


def _print(figures: dict) -> None:
    for title, value in {
        "signature": f"{figures['signature']}, {figures['batch_size']} items a call",
        "calls": f"{figures['answered']} answered, {figures['concurrency']} at a time, "
        f"in {figures['seconds']:.2f} s",
        "rate": f"{figures['calls_per_second']:.1f} calls/s, "
        f"{figures['items_per_second']:.1f} items/s",
        "latency": ", ".join(
            f"{'max' if name == 'p100' else name} {value:.1f} ms"
            for name, value in figures["latency_milliseconds"].items()
            if value is not None
        ),
        "errors": ", ".join(f"{count} {code}" for code, count in figures["errors"].items())
        or "none",
    }.items():
        click.echo(f"{title:<10} {value}")
    if figures["first_error"]:
        click.echo(f"{'':<10} {figures['first_error']}")


if __name__ == "__main__":
    bench_serving()
