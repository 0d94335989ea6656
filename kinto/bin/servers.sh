# Sourced, with $root: the servers that `start` starts and `stop` ends, each NAME.pid in $run. One list for both.
# shellcheck shell=sh disable=SC2034,SC2154
# shellcheck source=kinto/bin/processes.sh
. "$root/kinto/bin/processes.sh"
run=$(readlink -m "${RUN_DIR:-$root/.run}")
# As `bin/kinto` names them to the server: with links followed.
programs=$(readlink -m "${KINTO_ENVIRONMENT:-$root/.tools/kinto}")/bin
servers='kinto memcached postgresql'

# of NAME WHAT [ARGUMENT]: does something with a server's file and the arguments that its process has, one of them.
of() {
    case $1 in
    # At first a process is the script that becomes the server, and is ended as such.
    kinto) "$2" "$run/kinto.pid" ${3:+"$3"} "$root/kinto/bin/kinto" "$root/kinto/bin/programs.py" "$programs/kinto" "$programs/uwsgi" ;;
    memcached) "$2" "$run/memcached.pid" ${3:+"$3"} "$root/kinto/bin/memcached" memcached ;;
    # The folder is an argument of what starts it, too.
    postgresql) "$2" "$run/postgresql.pid" ${3:+"$3"} "$run/postgresql" "$(readlink -m "$run/postgresql/data")" ;;
    esac
}
is_alive() { of "$1" alive; }
end_server() {
    case $1 in
    # It ends its sessions and stops cleanly.
    postgresql) of "$1" end INT ;;
    # uWSGI lets the requests under way end, waitress does not.
    *) of "$1" end TERM ;;
    esac
}
