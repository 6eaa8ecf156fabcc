"""A real server over a model without a model: says its address and serves until it is killed or orphaned."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main(folder: Path, port: int, model: str, keep: bool) -> None:
    from zerosight.serve.app import create_server
    from zerosight.serve.pool import model_command
    from zerosight.serve.run import Listening, serve_with_models, uvicorn_config
    from zerosight.serve.settings import ServeSettings
    from zerosight.serve.worker import end_with_parent

    end_with_parent()
    settings = ServeSettings(models=(model, "chest"), folder=folder / "server", port=port, keep=keep)
    settings.folder.mkdir(exist_ok=True)

    def command(model: str, chosen: ServeSettings) -> list[str]:
        return [sys.executable, str(HERE / "fake_model.py"), *model_command(model, chosen)[4:]]

    server = create_server(settings, command)
    listening = Listening(uvicorn_config(server, settings), lambda address: print(address, flush=True))
    asyncio.run(serve_with_models(server, listening))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], "--keep" in sys.argv)
