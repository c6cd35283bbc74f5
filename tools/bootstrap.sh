# Sourced by tools/demo and tools/test: makes .venv with what they need when it is missing or out of date.
# usage: . tools/bootstrap.sh; bootstrap EXTRA     (an extra of setup.cfg: sim or dev)

case "${SIXKIT_LANG:-${LC_ALL:-${LC_MESSAGES:-${LANG:-}}}}" in
    zh* | ZH*) zh=1 ;;
    *) zh=0 ;;
esac

say() { # say ENGLISH CHINESE
    if [ "$zh" = 1 ]; then printf '%s\n' "$2"; else printf '%s\n' "$1"; fi >&2
}

die() {
    say "$1" "$2"
    exit 3
}

find_python() {
    for python in ${SIXKIT_PYTHON:-python3.13 python3.12 python3.11 python3}; do
        if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            return 0
        fi
    done
    die "Python 3.11 or newer is needed and none was found. On Debian or Raspberry Pi OS 12: apt install python3-venv" \
        "需要 Python 3.11 或更新版本，但未找到。Debian 或 Raspberry Pi OS 12 上：apt install python3-venv"
}

bootstrap() {
    extra=$1
    stamp=".venv/sixkit-$extra"
    want=$(cat setup.cfg pyproject.toml constraints.txt tools/broker.txt | cksum; pwd)
    if [ -x .venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$want" ] && .venv/bin/python -c '' 2>/dev/null; then
        return 0
    fi
    find_python
    if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
        die "$python has no venv module. On Debian or Raspberry Pi OS: apt install python3-venv" \
            "$python 缺少 venv 模块。Debian 或 Raspberry Pi OS 上：apt install python3-venv"
    fi
    if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
        say "Making .venv with $("$python" --version) ..." "正在用 $("$python" --version) 创建 .venv ……"
        "$python" -m venv --clear .venv ||
            die "Could not make .venv: see above; is the disk full or read-only?" "无法创建 .venv：见上；磁盘已满或只读？"
    fi
    say "Installing what is needed into .venv (once; a minute or so; log: .venv/pip.log) ..." \
        "正在安装所需的包到 .venv（仅一次，约一分钟；日志：.venv/pip.log）……"
    # Editable installs without a setup.py need pip 21.3; an older one is brought up first.
    {
        .venv/bin/python -m pip install --disable-pip-version-check 'pip>=23' &&
            .venv/bin/python -m pip install --disable-pip-version-check --require-hashes --no-deps -r tools/broker.txt &&
            .venv/bin/python -m pip install --disable-pip-version-check -c constraints.txt -e ".[$extra]"
    } >.venv/pip.log 2>&1 || {
        tail -n 5 .venv/pip.log >&2
        die "pip could not install: see above and .venv/pip.log. Without a way to PyPI, name a mirror: PIP_INDEX_URL=https://... $0" \
            "pip 安装失败：见上及 .venv/pip.log。无法访问 PyPI 时可指定镜像：PIP_INDEX_URL=https://... $0"
    }
    printf '%s\n' "$want" >"$stamp"
}
