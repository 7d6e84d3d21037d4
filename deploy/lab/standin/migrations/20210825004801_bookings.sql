-- Bookings, their guests, and slots that guests hold while they fill in the form.
CREATE TYPE "BookingStatus" AS ENUM ('cancelled', 'accepted', 'rejected', 'pending', 'awaiting_host');

CREATE TABLE "Booking" (
    "id" SERIAL NOT NULL,
    "uid" TEXT NOT NULL,
    "userId" INTEGER,
    "eventTypeId" INTEGER,
    "title" TEXT NOT NULL,
    "description" TEXT,
    "startTime" TIMESTAMP(3) NOT NULL,
    "endTime" TIMESTAMP(3) NOT NULL,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" TIMESTAMP(3),
    "location" TEXT,
    "paid" BOOLEAN NOT NULL DEFAULT false,
    "status" "BookingStatus" NOT NULL DEFAULT 'accepted',
    "cancellationReason" TEXT,
    "rejectionReason" TEXT,
    "fromReschedule" TEXT,
    "rescheduled" BOOLEAN,
    "dynamicEventSlugRef" TEXT,
    "dynamicGroupSlugRef" TEXT,
    "recurringEventId" TEXT,
    "customInputs" JSONB,
    "smsReminderNumber" TEXT,
    "destinationCalendarId" INTEGER,
    "scheduledJobs" TEXT[],
    "metadata" JSONB,
    "responses" JSONB,
    "isRecorded" BOOLEAN NOT NULL DEFAULT false,
    "iCalSequence" INTEGER NOT NULL DEFAULT 0,
    "iCalUID" TEXT DEFAULT '',
    "userPrimaryEmail" TEXT,
    "idempotencyKey" TEXT,
    "noShowHost" BOOLEAN DEFAULT false,
    "rating" INTEGER,
    "ratingFeedback" TEXT,
    "cancelledBy" TEXT,
    "rescheduledBy" TEXT,
    "oneTimePassword" TEXT,
    "reassignReason" TEXT,
    "reassignById" INTEGER,
    "creationSource" "CreationSource",
    PRIMARY KEY ("id")
);

CREATE TABLE "Attendee" (
    "id" SERIAL NOT NULL,
    "email" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "timeZone" TEXT NOT NULL,
    "bookingId" INTEGER,
    "locale" TEXT DEFAULT 'en',
    "phoneNumber" TEXT,
    "noShow" BOOLEAN DEFAULT false,
    PRIMARY KEY ("id")
);

CREATE TABLE "BookingReference" (
    "id" SERIAL NOT NULL,
    "type" TEXT NOT NULL,
    "uid" TEXT NOT NULL,
    "bookingId" INTEGER,
    "meetingId" TEXT,
    "meetingPassword" TEXT,
    "meetingUrl" TEXT,
    "deleted" BOOLEAN,
    "externalCalendarId" TEXT,
    "credentialId" INTEGER,
    "thirdPartyRecurringEventId" TEXT,
    "domainWideDelegationCredentialId" TEXT,
    "delegationCredentialId" TEXT,
    PRIMARY KEY ("id")
);

CREATE TABLE "SelectedSlots" (
    "id" SERIAL NOT NULL,
    "eventTypeId" INTEGER NOT NULL,
    "userId" INTEGER NOT NULL,
    "slotUtcStartDate" TIMESTAMP(3) NOT NULL,
    "slotUtcEndDate" TIMESTAMP(3) NOT NULL,
    "uid" TEXT NOT NULL,
    "releaseAt" TIMESTAMP(3) NOT NULL,
    "isSeat" BOOLEAN NOT NULL DEFAULT false,
    PRIMARY KEY ("id")
);

CREATE UNIQUE INDEX "Booking_uid_key" ON "Booking" ("uid");
CREATE UNIQUE INDEX "Booking_idempotencyKey_key" ON "Booking" ("idempotencyKey");
CREATE INDEX "Booking_userId_idx" ON "Booking" ("userId");
CREATE INDEX "Booking_eventTypeId_idx" ON "Booking" ("eventTypeId");
CREATE INDEX "Booking_startTime_endTime_status_idx" ON "Booking" ("startTime", "endTime", "status");
CREATE INDEX "Attendee_bookingId_idx" ON "Attendee" ("bookingId");
CREATE INDEX "BookingReference_bookingId_idx" ON "BookingReference" ("bookingId");
CREATE UNIQUE INDEX "SelectedSlots_userId_slotUtcStartDate_slotUtcEndDate_uid_key"
    ON "SelectedSlots" ("userId", "slotUtcStartDate", "slotUtcEndDate", "uid");

ALTER TABLE "Booking" ADD FOREIGN KEY ("userId") REFERENCES "users" ("id") ON DELETE CASCADE;
ALTER TABLE "Booking" ADD FOREIGN KEY ("eventTypeId") REFERENCES "EventType" ("id") ON DELETE SET NULL;
ALTER TABLE "Attendee" ADD FOREIGN KEY ("bookingId") REFERENCES "Booking" ("id") ON DELETE CASCADE;
ALTER TABLE "BookingReference" ADD FOREIGN KEY ("bookingId") REFERENCES "Booking" ("id") ON DELETE CASCADE;
