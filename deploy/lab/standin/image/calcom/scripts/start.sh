#!/bin/bash
# Starts the container as the official image does: step by step, whatever became of the step before.
cd /calcom || exit 1
scripts/replace-placeholder.sh "$BUILT_NEXT_PUBLIC_WEBAPP_URL" "$NEXT_PUBLIC_WEBAPP_URL"
scripts/wait-for-it.sh "$DATABASE_HOST"
npx prisma migrate deploy --schema /calcom/packages/prisma/schema.prisma
npx ts-node --transpile-only /calcom/scripts/seed-app-store.ts
exec yarn start
