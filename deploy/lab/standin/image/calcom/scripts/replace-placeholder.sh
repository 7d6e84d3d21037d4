#!/bin/bash
# Writes the public address over the one that the image was built for; needs a writable tree.
from=$1
to=$2
if [ -z "$to" ] || [ "$from" = "$to" ]; then
    echo "Nothing to replace, the values are already set to $to."
    exit 0
fi
echo "Replacing all statically built instances of $from with $to."
grep -rlF -- "$from" apps/web/.next apps/web/public 2>/dev/null | while read -r file; do
    sed -i "s|$from|$to|g" "$file"
done
