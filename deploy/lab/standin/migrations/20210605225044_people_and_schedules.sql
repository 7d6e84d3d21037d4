-- People, their passwords and when they are free.
CREATE TYPE "IdentityProvider" AS ENUM ('CAL', 'GOOGLE', 'SAML');
CREATE TYPE "UserPermissionRole" AS ENUM ('USER', 'ADMIN');
CREATE TYPE "SMSLockState" AS ENUM ('LOCKED', 'UNLOCKED', 'REVIEW_NEEDED');
CREATE TYPE "CreationSource" AS ENUM ('api_v1', 'api_v2', 'webapp');

CREATE TABLE "users" (
    "id" SERIAL NOT NULL,
    "username" TEXT,
    "name" TEXT,
    "email" TEXT NOT NULL,
    "bio" TEXT,
    "timeZone" TEXT NOT NULL DEFAULT 'Europe/London',
    "weekStart" TEXT NOT NULL DEFAULT 'Sunday',
    "startTime" INTEGER NOT NULL DEFAULT 0,
    "endTime" INTEGER NOT NULL DEFAULT 1440,
    "created" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "bufferTime" INTEGER NOT NULL DEFAULT 0,
    "emailVerified" TIMESTAMP(3),
    "hideBranding" BOOLEAN NOT NULL DEFAULT false,
    "theme" TEXT,
    "completedOnboarding" BOOLEAN NOT NULL DEFAULT false,
    "twoFactorEnabled" BOOLEAN NOT NULL DEFAULT false,
    "twoFactorSecret" TEXT,
    "locale" TEXT,
    "brandColor" TEXT,
    "identityProvider" "IdentityProvider" NOT NULL DEFAULT 'CAL',
    "identityProviderId" TEXT,
    "invitedTo" INTEGER,
    "metadata" JSONB,
    "verified" BOOLEAN DEFAULT false,
    "timeFormat" INTEGER DEFAULT 12,
    "darkBrandColor" TEXT,
    "trialEndsAt" TIMESTAMP(3),
    "defaultScheduleId" INTEGER,
    "allowDynamicBooking" BOOLEAN DEFAULT true,
    "role" "UserPermissionRole" NOT NULL DEFAULT 'USER',
    "disableImpersonation" BOOLEAN NOT NULL DEFAULT false,
    "organizationId" INTEGER,
    "allowSEOIndexing" BOOLEAN DEFAULT true,
    "backupCodes" TEXT,
    "receiveMonthlyDigestEmail" BOOLEAN DEFAULT true,
    "avatarUrl" TEXT,
    "locked" BOOLEAN NOT NULL DEFAULT false,
    "appTheme" TEXT,
    "movedToProfileId" INTEGER,
    "isPlatformManaged" BOOLEAN NOT NULL DEFAULT false,
    "smsLockState" "SMSLockState" NOT NULL DEFAULT 'UNLOCKED',
    "smsLockReviewedByAdmin" BOOLEAN NOT NULL DEFAULT false,
    "referralLinkId" TEXT,
    "lastActiveAt" TIMESTAMP(3),
    "creationSource" "CreationSource",
    "whitelistWorkflows" BOOLEAN NOT NULL DEFAULT false,
    "requiresBookerEmailVerification" BOOLEAN DEFAULT false,
    "uuid" UUID NOT NULL,
    PRIMARY KEY ("id")
);

CREATE TABLE "UserPassword" (
    "hash" TEXT NOT NULL,
    "userId" INTEGER NOT NULL
);

CREATE TABLE "Schedule" (
    "id" SERIAL NOT NULL,
    "userId" INTEGER NOT NULL,
    "name" TEXT NOT NULL,
    "timeZone" TEXT,
    PRIMARY KEY ("id")
);

CREATE TABLE "Availability" (
    "id" SERIAL NOT NULL,
    "userId" INTEGER,
    "eventTypeId" INTEGER,
    "days" INTEGER[],
    "date" DATE,
    "startTime" TIME NOT NULL,
    "endTime" TIME NOT NULL,
    "scheduleId" INTEGER,
    PRIMARY KEY ("id")
);

CREATE TABLE "avatars" (
    "teamId" INTEGER NOT NULL DEFAULT 0,
    "userId" INTEGER NOT NULL DEFAULT 0,
    "data" TEXT NOT NULL,
    "objectKey" TEXT NOT NULL UNIQUE,
    "isBanner" BOOLEAN NOT NULL DEFAULT false,
    UNIQUE ("teamId", "userId", "isBanner")
);

CREATE UNIQUE INDEX "users_email_key" ON "users" ("email");
CREATE UNIQUE INDEX "users_uuid_key" ON "users" ("uuid");
CREATE UNIQUE INDEX "users_username_organizationId_key" ON "users" ("username", "organizationId");
CREATE UNIQUE INDEX "UserPassword_userId_key" ON "UserPassword" ("userId");
CREATE INDEX "Schedule_userId_idx" ON "Schedule" ("userId");
CREATE INDEX "Availability_scheduleId_idx" ON "Availability" ("scheduleId");

ALTER TABLE "UserPassword" ADD FOREIGN KEY ("userId") REFERENCES "users" ("id") ON DELETE CASCADE;
ALTER TABLE "Schedule" ADD FOREIGN KEY ("userId") REFERENCES "users" ("id") ON DELETE CASCADE;
ALTER TABLE "Availability" ADD FOREIGN KEY ("userId") REFERENCES "users" ("id") ON DELETE CASCADE;
ALTER TABLE "Availability" ADD FOREIGN KEY ("scheduleId") REFERENCES "Schedule" ("id") ON DELETE CASCADE;
