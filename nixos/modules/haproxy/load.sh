# load.sh FILE COPY HAPROXY: makes the copy that haproxy is started from, and checks it. The copy ends in a name that no other has,
# and `show info` tells it: so it can be known what a running worker was started from, though FILE may have been replaced since.
set -eu
cp "$1" "$2.new"
printf '\nglobal\n  description load-%s-%s\n' "$(date +%s.%N)" "$$" >> "$2.new"
"$3" -c -f "$2.new"
mv "$2.new" "$2"
