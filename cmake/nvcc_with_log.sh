#!/bin/sh
# nvcc_with_log.sh COMPILER ARGUMENTS...: runs it and keeps what it says of each kernel (-Xptxas -v)
# in OBJECT.log, for scripts/check_kernels.sh. Only the rest is shown.
object=
previous=
for argument; do
  [ "$previous" = -o ] && object=$argument
  previous=$argument
done
[ -n "$object" ] || exec "$@"
"$@" 2>"$object.log.part"
status=$?
mv "$object.log.part" "$object.log"
grep -vE '^ptxas info|bytes stack frame|^ *[0-9]+ bytes cumulative' "$object.log" >&2
exit $status
