# Sourced: processes that are known by a file with their id.
# shellcheck shell=sh

# alive FILE ARGUMENT...: whether the process of that id has one of these whole arguments in its command line. The id
# alone proves nothing: after a reboot, or in time, it is another process's.
alive() {
    _file=$1
    shift
    [ -s "$_file" ] || return 1
    for _argument; do
        if tr '\0' '\n' <"/proc/$(cat "$_file")/cmdline" | grep -qxF -e "$_argument"; then return 0; fi
    done 2>/dev/null
    return 1
}

# end FILE SIGNAL ARGUMENT...: ends that process, if it is alive, and forgets its id. Fails when it does not end within
# ninety seconds: uWSGI gives the requests under way thirty, and PostgreSQL first writes to disk what it has in memory.
end() {
    _ended=$1 _signal=$2
    shift 2
    if alive "$_ended" "$@"; then
        kill -s "$_signal" "$(cat "$_ended")" 2>/dev/null || true
        for _ in $(seq 900); do
            alive "$_ended" "$@" || break
            sleep 0.1
        done
        if alive "$_ended" "$@"; then return 1; fi
    fi
    rm -f "$_ended"
}
