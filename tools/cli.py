"""The `sixkit` command: finds the subcommand, runs it, turns errors into sentences and exit codes."""

from __future__ import annotations

import argparse
import importlib
import sys
from importlib.metadata import version

from protocol.words import Told

from .command import GOOD, INTERRUPTED, USAGE, exit_code
from .locale import language, say

# subcommand: (module, English, Chinese); a module is imported only when its command is called: they start faster apart
COMMANDS = {
    "run": ("run_cmd", "run the gateway's agent", "运行网关程序"),
    "status": ("status_cmd", "ask a running agent how it is", "查询网关状态"),
    "dispatch": ("dispatch_cmd", "run the dispatch centre's receiving end and board", "运行调度中心接收端与看板"),
    "provision": ("provision", "make keys, certificates and configuration for a site", "生成站点的密钥、证书与配置"),
    "sim": ("sim_cmd", "play simulated homes and recorded fires", "模拟家庭与回放火灾记录"),
    "decode": ("decode_cmd", "show what a frame, record or envelope says", "解析帧、记录或信封"),
    "bench": ("bench_cmd", "measure latency, memory and start-up", "测量延迟、内存与启动时间"),
}


def main(argv: list[str] | None = None) -> int:
    """The exit code of `sixkit ARGUMENTS`: 0 good, 1 what was checked is not so, 2 usage, 3 the environment."""
    arguments = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(
        prog="sixkit",
        description=say("A home safety gateway and what it talks to.", "居家安全网关及其对端。"),
        epilog=say("Try it without any hardware: ./tools/demo", "无需硬件即可体验：./tools/demo"),
    )
    parser.add_argument("--version", action="version", version=f"sixkit {version('sixkit')}")
    subparsers = parser.add_subparsers(dest="command", metavar=say("COMMAND", "命令"))
    wanted = next((word for word in arguments if word in COMMANDS), None)
    module = None
    for name, (module_name, en, zh) in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=say(en, zh))
        if name == wanted:
            module = importlib.import_module(f".{module_name}", __package__)
            module.add_options(subparser)
    args = parser.parse_args(arguments)
    if module is None:
        parser.print_help()
        return USAGE
    try:
        code: int = module.run(args)
        return code
    except Told as error:
        print(f"sixkit {args.command}: {error.text(language())}", file=sys.stderr)
        return exit_code(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader, `head` for one, has had enough
        sys.stderr.close()
        return GOOD


if __name__ == "__main__":
    sys.exit(main())
