-- One guest's place in a booking that several share.
CREATE TABLE "BookingSeat" (
    "id" SERIAL NOT NULL,
    "referenceUid" TEXT NOT NULL,
    "bookingId" INTEGER NOT NULL,
    "attendeeId" INTEGER NOT NULL,
    "data" JSONB,
    "metadata" JSONB,
    PRIMARY KEY ("id")
);
CREATE UNIQUE INDEX "BookingSeat_referenceUid_key" ON "BookingSeat" ("referenceUid");
CREATE UNIQUE INDEX "BookingSeat_attendeeId_key" ON "BookingSeat" ("attendeeId");
CREATE INDEX "BookingSeat_bookingId_idx" ON "BookingSeat" ("bookingId");
ALTER TABLE "BookingSeat" ADD FOREIGN KEY ("bookingId") REFERENCES "Booking" ("id") ON DELETE CASCADE;
ALTER TABLE "BookingSeat" ADD FOREIGN KEY ("attendeeId") REFERENCES "Attendee" ("id") ON DELETE CASCADE;
