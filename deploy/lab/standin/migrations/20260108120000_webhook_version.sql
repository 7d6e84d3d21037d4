-- Deliveries name the version of their shape (in 6.0.12 and later).
ALTER TABLE "Webhook" ADD COLUMN "version" TEXT NOT NULL DEFAULT '2021-10-20';
