-- The app store, connected accounts and calendars, the licence row.
CREATE TYPE "AppCategories" AS ENUM (
    'calendar', 'messaging', 'other', 'payment', 'video', 'web3', 'automation', 'analytics',
    'conferencing', 'crm'
);

CREATE TABLE "App" (
    "slug" TEXT NOT NULL,
    "dirName" TEXT NOT NULL,
    "keys" JSONB,
    "categories" "AppCategories"[],
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" TIMESTAMP(3) NOT NULL,
    "enabled" BOOLEAN NOT NULL DEFAULT false,
    PRIMARY KEY ("slug")
);

CREATE TABLE "Credential" (
    "id" SERIAL NOT NULL,
    "type" TEXT NOT NULL,
    "key" JSONB NOT NULL,
    "userId" INTEGER,
    "appId" TEXT,
    "invalid" BOOLEAN DEFAULT false,
    "teamId" INTEGER,
    "billingCycleStart" INTEGER,
    "paymentStatus" TEXT,
    "subscriptionId" TEXT,
    "delegationCredentialId" TEXT,
    PRIMARY KEY ("id")
);

CREATE TABLE "DestinationCalendar" (
    "id" SERIAL NOT NULL,
    "integration" TEXT NOT NULL,
    "externalId" TEXT NOT NULL,
    "userId" INTEGER,
    "eventTypeId" INTEGER,
    "credentialId" INTEGER,
    "primaryEmail" TEXT,
    "domainWideDelegationCredentialId" TEXT,
    "delegationCredentialId" TEXT,
    "createdAt" TIMESTAMP(3) DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" TIMESTAMP(3),
    PRIMARY KEY ("id")
);

CREATE TABLE "SelectedCalendar" (
    "userId" INTEGER NOT NULL,
    "integration" TEXT NOT NULL,
    "externalId" TEXT NOT NULL,
    "credentialId" INTEGER,
    "googleChannelExpiration" TEXT,
    "googleChannelId" TEXT,
    "googleChannelKind" TEXT,
    "googleChannelResourceId" TEXT,
    "googleChannelResourceUri" TEXT,
    "domainWideDelegationCredentialId" TEXT,
    "id" TEXT NOT NULL,
    "eventTypeId" INTEGER,
    "error" TEXT,
    "channelId" TEXT,
    "channelKind" TEXT,
    "channelResourceId" TEXT,
    "channelResourceUri" TEXT,
    "channelExpiration" TIMESTAMP(3),
    "syncSubscribedAt" TIMESTAMP(3),
    "syncToken" TEXT,
    "syncedAt" TIMESTAMP(3),
    "syncErrorAt" TIMESTAMP(3),
    "syncErrorCount" INTEGER DEFAULT 0,
    "delegationCredentialId" TEXT,
    "lastErrorAt" TIMESTAMP(3),
    "maxAttempts" INTEGER NOT NULL DEFAULT 3,
    "unwatchAttempts" INTEGER NOT NULL DEFAULT 0,
    "watchAttempts" INTEGER NOT NULL DEFAULT 0,
    "createdAt" TIMESTAMP(3) DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" TIMESTAMP(3),
    PRIMARY KEY ("id")
);

CREATE TABLE "Deployment" (
    "id" INTEGER NOT NULL DEFAULT 1,
    "logo" TEXT,
    "theme" JSONB,
    "licenseKey" TEXT,
    "agreedLicenseAt" TIMESTAMP(3),
    "signatureTokenEncrypted" TEXT,
    PRIMARY KEY ("id")
);

CREATE UNIQUE INDEX "App_dirName_key" ON "App" ("dirName");
CREATE INDEX "Credential_userId_idx" ON "Credential" ("userId");
CREATE UNIQUE INDEX "DestinationCalendar_userId_key" ON "DestinationCalendar" ("userId");
CREATE UNIQUE INDEX "DestinationCalendar_eventTypeId_key" ON "DestinationCalendar" ("eventTypeId");

ALTER TABLE "Credential" ADD FOREIGN KEY ("userId") REFERENCES "users" ("id") ON DELETE CASCADE;
ALTER TABLE "Credential" ADD FOREIGN KEY ("appId") REFERENCES "App" ("slug") ON DELETE CASCADE;
ALTER TABLE "DestinationCalendar" ADD FOREIGN KEY ("userId") REFERENCES "users" ("id") ON DELETE CASCADE;
ALTER TABLE "DestinationCalendar" ADD FOREIGN KEY ("eventTypeId") REFERENCES "EventType" ("id") ON DELETE CASCADE;
ALTER TABLE "DestinationCalendar" ADD FOREIGN KEY ("credentialId") REFERENCES "Credential" ("id") ON DELETE CASCADE;
ALTER TABLE "SelectedCalendar" ADD FOREIGN KEY ("userId") REFERENCES "users" ("id") ON DELETE CASCADE;
ALTER TABLE "SelectedCalendar" ADD FOREIGN KEY ("credentialId") REFERENCES "Credential" ("id") ON DELETE CASCADE;
ALTER TABLE "BookingReference" ADD FOREIGN KEY ("credentialId") REFERENCES "Credential" ("id") ON DELETE SET NULL;
