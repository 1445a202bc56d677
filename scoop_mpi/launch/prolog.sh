# bash prolog.sh source|execute FILE COMMAND...: runs FILE, then COMMAND in its place.
# Sourced, FILE can export variables and load modules for COMMAND.
how=$1 file=$2
shift 2
if [ "$how" = source ]; then
    # An exit in FILE would end everything, with its own exit code: mostly 0.
    trap 'echo "scoop_mpi: the prolog $file says exit; leave that out, as it is sourced" >&2
          exit 1' EXIT
    prolog() { . "$file"; }
else
    prolog() { "$file"; }
fi
prolog
code=$?
trap - EXIT
[ $code = 0 ] && exec "$@"
echo "scoop_mpi: the prolog $file failed on $(uname -n) (exit code $code)" >&2
exit $code
