-- Who is told of what, now and later; keys; background tasks.
CREATE TYPE "WebhookTriggerEvents" AS ENUM (
    'BOOKING_CREATED', 'BOOKING_RESCHEDULED', 'BOOKING_CANCELLED', 'FORM_SUBMITTED', 'BOOKING_REQUESTED',
    'BOOKING_REJECTED', 'MEETING_ENDED', 'RECORDING_READY', 'BOOKING_PAYMENT_INITIATED', 'BOOKING_PAID',
    'INSTANT_MEETING', 'MEETING_STARTED', 'RECORDING_TRANSCRIPTION_GENERATED', 'BOOKING_NO_SHOW_UPDATED',
    'OOO_CREATED', 'AFTER_HOSTS_CAL_VIDEO_NO_SHOW', 'AFTER_GUESTS_CAL_VIDEO_NO_SHOW',
    'FORM_SUBMITTED_NO_EVENT', 'DELEGATION_CREDENTIAL_ERROR'
);
CREATE TYPE "TimeUnit" AS ENUM ('day', 'hour', 'minute');

CREATE TABLE "Webhook" (
    "id" TEXT NOT NULL,
    "userId" INTEGER,
    "subscriberUrl" TEXT NOT NULL,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "active" BOOLEAN NOT NULL DEFAULT true,
    "eventTriggers" "WebhookTriggerEvents"[],
    "payloadTemplate" TEXT,
    "eventTypeId" INTEGER,
    "appId" TEXT,
    "secret" TEXT,
    "teamId" INTEGER,
    "platform" BOOLEAN NOT NULL DEFAULT false,
    "platformOAuthClientId" TEXT,
    "time" INTEGER,
    "timeUnit" "TimeUnit",
    PRIMARY KEY ("id")
);

CREATE TABLE "WebhookScheduledTriggers" (
    "id" SERIAL NOT NULL,
    "jobName" TEXT,
    "subscriberUrl" TEXT NOT NULL,
    "payload" TEXT NOT NULL,
    "startAfter" TIMESTAMP(3) NOT NULL,
    "retryCount" INTEGER NOT NULL DEFAULT 0,
    "createdAt" TIMESTAMP(3) DEFAULT CURRENT_TIMESTAMP,
    "webhookId" TEXT,
    "appId" TEXT,
    "bookingId" INTEGER,
    PRIMARY KEY ("id")
);

CREATE TABLE "ApiKey" (
    "id" TEXT NOT NULL,
    "userId" INTEGER NOT NULL,
    "note" TEXT,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expiresAt" TIMESTAMP(3),
    "lastUsedAt" TIMESTAMP(3),
    "hashedKey" TEXT NOT NULL,
    "appId" TEXT,
    "teamId" INTEGER,
    PRIMARY KEY ("id")
);

CREATE TABLE "RateLimit" (
    "id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "apiKeyId" TEXT NOT NULL,
    "ttl" INTEGER NOT NULL,
    "limit" INTEGER NOT NULL,
    "blockDuration" INTEGER NOT NULL,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" TIMESTAMP(3) NOT NULL,
    PRIMARY KEY ("id")
);

CREATE TABLE "Task" (
    "id" TEXT NOT NULL,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" TIMESTAMP(3) NOT NULL,
    "scheduledAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "succeededAt" TIMESTAMP(3),
    "type" TEXT NOT NULL,
    "payload" TEXT NOT NULL,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "maxAttempts" INTEGER NOT NULL DEFAULT 3,
    "lastError" TEXT,
    "lastFailedAttemptAt" TIMESTAMP(3),
    "referenceUid" TEXT,
    PRIMARY KEY ("id")
);

CREATE UNIQUE INDEX "Webhook_userId_subscriberUrl_key" ON "Webhook" ("userId", "subscriberUrl");
CREATE UNIQUE INDEX "Webhook_platformOAuthClientId_subscriberUrl_key"
    ON "Webhook" ("platformOAuthClientId", "subscriberUrl");
CREATE UNIQUE INDEX "ApiKey_hashedKey_key" ON "ApiKey" ("hashedKey");
CREATE UNIQUE INDEX "Task_referenceUid_type_key" ON "Task" ("referenceUid", "type");
CREATE INDEX "RateLimit_apiKeyId_idx" ON "RateLimit" ("apiKeyId");

ALTER TABLE "Webhook" ADD FOREIGN KEY ("userId") REFERENCES "users" ("id") ON DELETE CASCADE;
ALTER TABLE "Webhook" ADD FOREIGN KEY ("eventTypeId") REFERENCES "EventType" ("id") ON DELETE CASCADE;
ALTER TABLE "WebhookScheduledTriggers" ADD FOREIGN KEY ("webhookId") REFERENCES "Webhook" ("id") ON DELETE CASCADE;
ALTER TABLE "WebhookScheduledTriggers" ADD FOREIGN KEY ("bookingId") REFERENCES "Booking" ("id") ON DELETE CASCADE;
ALTER TABLE "ApiKey" ADD FOREIGN KEY ("userId") REFERENCES "users" ("id") ON DELETE CASCADE;
ALTER TABLE "RateLimit" ADD FOREIGN KEY ("apiKeyId") REFERENCES "ApiKey" ("id") ON DELETE CASCADE;
