#!/bin/sh
# Installs the system tools of .ci/apt.txt that are missing, where it may (root, or sudo
# without a password); says what it could not. ECOGATE_NO_APT=1 keeps it away.
set -u
cd "$(dirname "$0")"
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

here() {
    case $1 in
    /*) # a library: any file of this pattern
        for file in $1; do
            [ -e "$file" ] && return
        done
        return 1
        ;;
    esac
    command -v "$1" >/dev/null 2>&1
}
missing() {
    while read -r package tool _; do
        case $package in '' | '#'*) continue ;; esac
        here "$tool" || printf '%s ' "$package"
    done < apt.txt
}

wanted=$(missing)
[ -n "$wanted" ] || exit 0
say() { printf 'ecogate: %s\n' "$*" >&2; }
leave() {
    say "not installed: $wanted($*); what needs them is left out and named"
    exit 0
}
[ -z "${ECOGATE_NO_APT:-}" ] || leave "ECOGATE_NO_APT is set"
command -v apt-get >/dev/null 2>&1 || leave "no apt-get here"
root=
if [ "$(id -u)" -ne 0 ]; then
    sudo -n true 2>/dev/null || leave "sudo apt-get install ${wanted% }"
    root="sudo -n"
fi

# Debian starts a service as soon as it is installed; tests start brokers of their own.
policy=/usr/sbin/policy-rc.d
ours=
if [ ! -e $policy ]; then
    ours=yes
    trap 'exit 130' INT TERM HUP
    trap '$root rm -f $policy' EXIT
    printf '#!/bin/sh\nexit 101\n' | $root tee $policy >/dev/null &&
        $root chmod 755 $policy
fi
install() {
    # shellcheck disable=SC2086 # a list of words
    $root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -qq -y --no-install-recommends $wanted >/dev/null 2>&1
}
say "installing $wanted(for the tests; ECOGATE_NO_APT=1 prevents it)"
install || { $root apt-get update -qq >/dev/null 2>&1 && install; }
case " $wanted" in
*" mosquitto "*)
    if [ -n "$ours" ] && command -v systemctl >/dev/null 2>&1; then
        $root systemctl disable mosquitto.service >/dev/null 2>&1
    fi
    ;;
esac
wanted=$(missing)
[ -z "$wanted" ] || leave "apt-get could not install them"
