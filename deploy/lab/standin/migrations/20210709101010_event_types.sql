-- What can be booked, and by which links.
CREATE TYPE "SchedulingType" AS ENUM ('roundRobin', 'collective', 'managed');
CREATE TYPE "PeriodType" AS ENUM ('unlimited', 'rolling', 'rolling_window', 'range');

CREATE TABLE "EventType" (
    "id" SERIAL NOT NULL,
    "title" TEXT NOT NULL,
    "slug" TEXT NOT NULL,
    "description" TEXT,
    "locations" JSONB,
    "length" INTEGER NOT NULL,
    "hidden" BOOLEAN NOT NULL DEFAULT false,
    "userId" INTEGER,
    "eventName" TEXT,
    "timeZone" TEXT,
    "periodCountCalendarDays" BOOLEAN,
    "periodDays" INTEGER,
    "periodEndDate" TIMESTAMP(3),
    "periodStartDate" TIMESTAMP(3),
    "requiresConfirmation" BOOLEAN NOT NULL DEFAULT false,
    "minimumBookingNotice" INTEGER NOT NULL DEFAULT 120,
    "currency" TEXT NOT NULL DEFAULT 'usd',
    "price" INTEGER NOT NULL DEFAULT 0,
    "schedulingType" "SchedulingType",
    "teamId" INTEGER,
    "disableGuests" BOOLEAN NOT NULL DEFAULT false,
    "position" INTEGER NOT NULL DEFAULT 0,
    "periodType" "PeriodType" NOT NULL DEFAULT 'unlimited',
    "slotInterval" INTEGER,
    "metadata" JSONB,
    "afterEventBuffer" INTEGER NOT NULL DEFAULT 0,
    "beforeEventBuffer" INTEGER NOT NULL DEFAULT 0,
    "hideCalendarNotes" BOOLEAN NOT NULL DEFAULT false,
    "successRedirectUrl" TEXT,
    "seatsPerTimeSlot" INTEGER,
    "recurringEvent" JSONB,
    "scheduleId" INTEGER,
    "bookingLimits" JSONB,
    "seatsShowAttendees" BOOLEAN DEFAULT false,
    "bookingFields" JSONB,
    "durationLimits" JSONB,
    "parentId" INTEGER,
    "offsetStart" INTEGER NOT NULL DEFAULT 0,
    "requiresBookerEmailVerification" BOOLEAN NOT NULL DEFAULT false,
    "seatsShowAvailabilityCount" BOOLEAN DEFAULT true,
    "lockTimeZoneToggleOnBookingPage" BOOLEAN NOT NULL DEFAULT false,
    "onlyShowFirstAvailableSlot" BOOLEAN NOT NULL DEFAULT false,
    "isInstantEvent" BOOLEAN NOT NULL DEFAULT false,
    "assignAllTeamMembers" BOOLEAN NOT NULL DEFAULT false,
    "profileId" INTEGER,
    "useEventTypeDestinationCalendarEmail" BOOLEAN NOT NULL DEFAULT false,
    "secondaryEmailId" INTEGER,
    "forwardParamsSuccessRedirect" BOOLEAN DEFAULT true,
    "instantMeetingExpiryTimeOffsetInSeconds" INTEGER NOT NULL DEFAULT 90,
    "isRRWeightsEnabled" BOOLEAN NOT NULL DEFAULT false,
    "rescheduleWithSameRoundRobinHost" BOOLEAN NOT NULL DEFAULT false,
    "eventTypeColor" JSONB,
    "requiresConfirmationWillBlockSlot" BOOLEAN NOT NULL DEFAULT false,
    "instantMeetingScheduleId" INTEGER,
    "showOptimizedSlots" BOOLEAN DEFAULT false,
    "hideCalendarEventDetails" BOOLEAN NOT NULL DEFAULT false,
    "assignRRMembersUsingSegment" BOOLEAN NOT NULL DEFAULT false,
    "rrSegmentQueryValue" JSONB,
    "maxLeadThreshold" INTEGER,
    "instantMeetingParameters" TEXT[],
    "autoTranslateDescriptionEnabled" BOOLEAN NOT NULL DEFAULT false,
    "requiresConfirmationForFreeEmail" BOOLEAN NOT NULL DEFAULT false,
    "useEventLevelSelectedCalendars" BOOLEAN NOT NULL DEFAULT false,
    "allowReschedulingPastBookings" BOOLEAN NOT NULL DEFAULT false,
    "interfaceLanguage" TEXT,
    "canSendCalVideoTranscriptionEmails" BOOLEAN NOT NULL DEFAULT true,
    "disableCancelling" BOOLEAN DEFAULT false,
    "disableRescheduling" BOOLEAN DEFAULT false,
    "customReplyToEmail" TEXT,
    "hideOrganizerEmail" BOOLEAN NOT NULL DEFAULT false,
    "includeNoShowInRRCalculation" BOOLEAN NOT NULL DEFAULT false,
    "restrictionScheduleId" INTEGER,
    "useBookerTimezone" BOOLEAN NOT NULL DEFAULT false,
    "allowReschedulingCancelledBookings" BOOLEAN DEFAULT false,
    "maxActiveBookingsPerBooker" INTEGER,
    "maxActiveBookingPerBookerOfferReschedule" BOOLEAN NOT NULL DEFAULT false,
    "lockedTimeZone" TEXT,
    "bookingRequiresAuthentication" BOOLEAN NOT NULL DEFAULT false,
    "createdAt" TIMESTAMP(3) DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" TIMESTAMP(3),
    "autoTranslateInstantMeetingTitleEnabled" BOOLEAN NOT NULL DEFAULT true,
    "minimumRescheduleNotice" INTEGER,
    "rrHostSubsetEnabled" BOOLEAN NOT NULL DEFAULT false,
    PRIMARY KEY ("id")
);

CREATE TABLE "_user_eventtype" (
    "A" INTEGER NOT NULL,
    "B" INTEGER NOT NULL
);

CREATE TABLE "Host" (
    "userId" INTEGER NOT NULL,
    "eventTypeId" INTEGER NOT NULL,
    "isFixed" BOOLEAN NOT NULL DEFAULT false,
    "priority" INTEGER,
    "weight" INTEGER,
    "weightAdjustment" INTEGER,
    "scheduleId" INTEGER,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "groupId" TEXT,
    "memberId" INTEGER,
    PRIMARY KEY ("userId", "eventTypeId")
);

CREATE TABLE "HashedLink" (
    "id" SERIAL NOT NULL,
    "link" TEXT NOT NULL UNIQUE,
    "eventTypeId" INTEGER NOT NULL REFERENCES "EventType" ("id") ON DELETE CASCADE,
    "expiresAt" TIMESTAMP(3),
    "maxUsageCount" INTEGER NOT NULL DEFAULT 1,
    "usageCount" INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY ("id")
);

CREATE TABLE "CalVideoSettings" (
    "eventTypeId" INTEGER NOT NULL REFERENCES "EventType" ("id") ON DELETE CASCADE,
    "disableRecordingForOrganizer" BOOLEAN NOT NULL DEFAULT false,
    "disableRecordingForGuests" BOOLEAN NOT NULL DEFAULT false,
    "enableAutomaticTranscription" BOOLEAN NOT NULL DEFAULT false,
    "enableAutomaticRecordingForOrganizer" BOOLEAN NOT NULL DEFAULT false,
    "disableTranscriptionForGuests" BOOLEAN NOT NULL DEFAULT false,
    "disableTranscriptionForOrganizer" BOOLEAN NOT NULL DEFAULT false,
    "requireEmailForGuests" BOOLEAN NOT NULL DEFAULT false,
    "redirectUrlOnExit" TEXT,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY ("eventTypeId")
);

CREATE UNIQUE INDEX "EventType_userId_slug_key" ON "EventType" ("userId", "slug");
CREATE UNIQUE INDEX "EventType_teamId_slug_key" ON "EventType" ("teamId", "slug");
CREATE UNIQUE INDEX "_user_eventtype_AB_unique" ON "_user_eventtype" ("A", "B");
CREATE INDEX "_user_eventtype_B_index" ON "_user_eventtype" ("B");

ALTER TABLE "EventType" ADD FOREIGN KEY ("userId") REFERENCES "users" ("id") ON DELETE CASCADE;
ALTER TABLE "EventType" ADD FOREIGN KEY ("scheduleId") REFERENCES "Schedule" ("id") ON DELETE SET NULL;
ALTER TABLE "_user_eventtype" ADD FOREIGN KEY ("A") REFERENCES "EventType" ("id") ON DELETE CASCADE;
ALTER TABLE "_user_eventtype" ADD FOREIGN KEY ("B") REFERENCES "users" ("id") ON DELETE CASCADE;
ALTER TABLE "Host" ADD FOREIGN KEY ("eventTypeId") REFERENCES "EventType" ("id") ON DELETE CASCADE;
ALTER TABLE "Host" ADD FOREIGN KEY ("userId") REFERENCES "users" ("id") ON DELETE CASCADE;
ALTER TABLE "Availability" ADD FOREIGN KEY ("eventTypeId") REFERENCES "EventType" ("id") ON DELETE CASCADE;
