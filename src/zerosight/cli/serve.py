"""``zerosight serve``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zerosight.cli.console import messages, refuse
from zerosight.cli.options import Device


def serve(
    model: Annotated[
        list[str] | None,
        typer.Option(help="a shipped model, model folder or exported file, or NAME=MODEL; may be repeated"),
    ] = None,
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="port; 0 takes a free one")] = 8000,
    token: Annotated[
        str | None,
        typer.Option(envvar="ZEROSIGHT_TOKEN", help="secret of 16 or more characters that clients must send"),
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="let other machines in without a token")
    ] = False,
    name: Annotated[list[str] | None, typer.Option(help="further host names to answer to")] = None,
    folder: Annotated[
        Path, typer.Option("--folder", "--workers-dir", help="where marks and learnt models are kept")
    ] = Path("zerosight-serve"),
    keep: Annotated[bool, typer.Option("--keep", help="keep images that are sent, in the folder")] = False,
    watch: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="folder whose new images are looked at")
    ] = None,
    webhook: Annotated[str | None, typer.Option(help="address to tell of anomalous ones of them")] = None,
    webhook_secret: Annotated[
        str, typer.Option(envvar="ZEROSIGHT_WEBHOOK_SECRET", help="what messages are signed with")
    ] = "",
    device: Device = "auto",
    batch_size: Annotated[int, typer.Option(min=1, help="images per batch")] = 8,
    processes: Annotated[int, typer.Option(min=1, help="processes per model")] = 1,
    queue: Annotated[int, typer.Option(min=1, help="images that may wait for one model")] = 256,
    max_body: Annotated[int, typer.Option(min=1, help="megabytes of one request")] = 64,
    max_pixels: Annotated[int, typer.Option(min=1, help="millions of pixels of one image")] = 50,
    max_files: Annotated[int, typer.Option(min=1, help="images of one request")] = 64,
    timeout: Annotated[float, typer.Option(min=1, help="seconds to send, and again to answer")] = 60,
    on: Annotated[
        str | None, typer.Option(help="have a Ray cluster serve: ray, or ray://HOST:PORT (zerosight[ray])")
    ] = None,
    replicas: Annotated[
        str | None, typer.Option(help="with --on: servers in the cluster, N, or by load MIN:MAX")
    ] = None,
    gpus: Annotated[float | None, typer.Option(min=0, help="with --on: GPUs of each, such as 0.5")] = None,
) -> None:
    """Serve models: a page for people at /, an API for machines at /v1 and /v2.

    Only this machine can reach it, unless --host says otherwise, and then a --token is needed.

    Examples:

      zerosight serve

      zerosight serve --model my-parts --model radz-tiny --port 9000

      ZEROSIGHT_TOKEN=$(openssl rand -hex 16) zerosight serve --host 0.0.0.0

      zerosight serve --on ray --replicas 2
    """
    if watch is None:
        refuse("a server that watches no folder (--watch)", webhook=webhook)
    if on is None:
        refuse("a server of this machine alone (without --on)", replicas=replicas, gpus=gpus)
    from zerosight.runtimes.packages import require

    for package in ("fastapi", "uvicorn", "httptools", "python_multipart", "prometheus_client"):
        require(package, "serve")
    from zerosight.serve.run import run_server
    from zerosight.serve.settings import ServeSettings

    settings = ServeSettings.parse(
        {
            "models": tuple(model or ("vip2clip-lite",)),
            "device": device,
            "host": host,
            "port": port,
            "names": tuple(name or ()),
            "token": token,
            "insecure": insecure,
            "folder": folder,
            "keep": keep,
            "watch": watch,
            "webhook": webhook,
            "webhook_secret": webhook_secret,
            "limits": {
                "body": max_body << 20,
                "pixels": max_pixels * 1_000_000,
                "files": max_files,
                "seconds": timeout,
                "queue": queue,
            },
            "batching": {"size": batch_size, "processes": processes},
        },
        "serve",
    )

    def tell(address: str) -> None:
        messages.print(f"serving at {address}", soft_wrap=True)

    if on is None:
        messages.print("loading …")
        run_server(settings, tell)
        return
    from zerosight.scale.deploy import Replicas, serve_on

    many = None if replicas is None else Replicas.parse(replicas)
    messages.print("loading …")
    serve_on(on, settings, many, gpus, tell)
