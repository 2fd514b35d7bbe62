#!/bin/sh
# Installs this checkout (or the wheel given) as a service. Run as root, as often as you
# like: it replaces the program and the units, never the site file or the stored data.
#
#   sudo [EXTRAS=hj212,gpio,vision] systemd/install.sh [FILE.whl]
#
# EXTRAS (hj212: SM4 of HJ 212-2025; gpio: this machine's own pins; vision: cameras) are
# remembered in /etc/ecogate/extras, so that an update has them too; EXTRAS= forgets them.
# DESTDIR=/some/root only lays out the files there: nothing is fetched or started.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
source=${1:-$(dirname "$here")}
root=${DESTDIR:-}
say() { printf 'ecogate install: %s\n' "$*"; }
fail() { say "$*" >&2; exit 1; }
extras=${EXTRAS-$(cat "$root/etc/ecogate/extras" 2>/dev/null || true)}

if [ -z "$root" ]; then
    [ "$(id -u)" -eq 0 ] || fail "run it as root: sudo $0"
    python=${PYTHON:-python3}
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
        fail "Python 3.11 or newer is wanted; see docs/install.md, or PYTHON=/path/to/it"
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "Python's venv module is missing: apt install python3-venv"
    # Each release in a folder of its own; /opt/ecogate points at the one in use. A
    # failed download changes nothing, and going back is one link.
    release=/opt/ecogate-$(date +%Y%m%d-%H%M%S)
    trap 'rm -rf "$release"' EXIT
    trap 'exit 130' INT TERM HUP
    "$python" -m venv "$release"
    pip="$release/bin/python -m pip --disable-pip-version-check --no-input"
    say "fetching packages (checked against requirements.lock)"
    $pip install --quiet --require-hashes -r "$(dirname "$here")/requirements.lock" ||
        fail "packages could not be fetched; nothing was changed"
    $pip install --quiet --no-deps "$source" || fail "$source could not be installed"
    if [ -n "$extras" ]; then
        say "fetching what $extras needs (pinned by constraints.txt)"
        $pip install --quiet -c "$(dirname "$here")/constraints.txt" "$source[$extras]" ||
            fail "the packages of $extras could not be fetched; nothing was changed"
    fi
    "$release/bin/ecogate" --version >/dev/null || fail "the new release does not start"
    trap - EXIT
    before=$(readlink -f /opt/ecogate || true)
    ln -sfn "$release" /opt/ecogate.next
    mv -T /opt/ecogate.next /opt/ecogate
    for old in /opt/ecogate-20*; do
        [ "$old" = "$release" ] || [ "$old" = "$before" ] || rm -rf "$old"
    done
fi

put() { install -D -m 0644 "$here/$1" "$root$2"; }
put ecogate.service /etc/systemd/system/ecogate.service
cameras=/etc/systemd/system/ecogate.service.d/cameras.conf
case ",$extras," in
    *,vision,*) put cameras.conf "$cameras" ;;
    *) rm -f "$root$cameras" ;;
esac
put ecogate.sysusers /usr/lib/sysusers.d/ecogate.conf
put ecogate.tmpfiles /usr/lib/tmpfiles.d/ecogate.conf
put 70-ecogate.rules /etc/udev/rules.d/70-ecogate.rules
install -d -m 0750 "$root/etc/ecogate"
printf '%s\n' "$extras" > "$root/etc/ecogate/extras"
[ -e "$root/etc/ecogate/site.yaml" ] ||
    install -m 0640 "$here/site.yaml" "$root/etc/ecogate/site.yaml"
[ -z "$root" ] || exit 0

systemd-sysusers ecogate.conf
systemd-tmpfiles --create ecogate.conf
udevadm control --reload 2>/dev/null && udevadm trigger --subsystem-match=tty || true
systemctl daemon-reload
systemctl enable --quiet ecogate.service
if systemctl is-active --quiet ecogate.service; then
    systemctl restart ecogate.service
    say "replaced $before and restarted; to go back:"
    say "  ln -sfn $before /opt/ecogate && systemctl restart ecogate"
else
    say "installed. Write /etc/ecogate/site.yaml, then:"
    say "  /opt/ecogate/bin/ecogate check /etc/ecogate/site.yaml"
    say "  systemctl start ecogate && systemctl status ecogate"
fi
