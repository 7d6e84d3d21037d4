-- Switches of the instance, with the values a fresh one starts with.
CREATE TYPE "FeatureType" AS ENUM ('RELEASE', 'EXPERIMENT', 'OPERATIONAL', 'KILL_SWITCH', 'PERMISSION');

CREATE TABLE "Feature" (
    "slug" TEXT NOT NULL,
    "enabled" BOOLEAN NOT NULL DEFAULT false,
    "description" TEXT,
    "type" "FeatureType" DEFAULT 'RELEASE',
    "stale" BOOLEAN DEFAULT false,
    "lastUsedAt" TIMESTAMP(3),
    "createdAt" TIMESTAMP(3) DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" TIMESTAMP(3) DEFAULT CURRENT_TIMESTAMP,
    "updatedBy" INTEGER,
    PRIMARY KEY ("slug")
);

INSERT INTO "Feature" ("slug", "enabled", "description", "type") VALUES
    ('attributes', false, 'Enable attributes - Custom fields for users and teams.', 'OPERATIONAL'),
    ('booker-botid', false, 'Enable BotID protection for booking endpoints - Protects booking API endpoints from bot traffic using BotID verification.', 'OPERATIONAL'),
    ('booking-audit', false, 'Enable booking audit trails - Track all booking actions and changes for organizations', 'OPERATIONAL'),
    ('booking-calendar-view', false, 'Enable booking calendar view for all users', 'EXPERIMENT'),
    ('bookings-v3', false, 'Enable bookings redesign v3 for all users', 'EXPERIMENT'),
    ('cal-ai-voice-agents', false, 'Enable Cal AI Voice Agents - Allow AI-powered voice agents to make phone calls.', 'OPERATIONAL'),
    ('cal-video-log-in-overlay', false, 'Enable Log In Overlay - Allows system to show a log in overlay on the Cal Video page.', 'OPERATIONAL'),
    ('calendar-cache', false, 'Enable Third Party Calendar Cache - Cache third party calendar events to reduce the number of API calls to third party calendar providers.', 'OPERATIONAL'),
    ('calendar-cache-serve', false, 'Whether to serve calendar cache by default or not on a team/user basis.', 'OPERATIONAL'),
    ('calendar-subscription-cache', false, 'Enable calendar subscription cache', 'OPERATIONAL'),
    ('calendar-subscription-sync', false, 'Enable calendar subscription synchronization', 'OPERATIONAL'),
    ('delegation-credential', false, 'Enable Delegation Credentials - Allows system to act on behalf of Workspace users on third parties such as google,oulook, etc ...', 'OPERATIONAL'),
    ('disable-signup', false, 'Enable to prevent users from signing up', 'OPERATIONAL'),
    ('domain-wide-delegation', false, 'Enable Google Workspace Domain-Wide Delegation - Allows system to act on behalf of Google Workspace users.', 'OPERATIONAL'),
    ('email-verification', true, 'Enable email verification for new users', 'OPERATIONAL'),
    ('emails', false, 'Enable to prevent any emails being send', 'KILL_SWITCH'),
    ('google-workspace-directory', false, 'Enable Google Workspace Directory integration - Syncing of users and groups from Google Workspace to users teams.', 'OPERATIONAL'),
    ('insights', true, 'Enable insights for this instance', 'OPERATIONAL'),
    ('onboarding-v3', false, 'Enable onboarding v3 for all users', 'EXPERIMENT'),
    ('organizations', true, 'Manage organizations with multiple teams', 'OPERATIONAL'),
    ('organizer-request-email-v2', false, 'Enable confirmation email with built-in rejection form', 'OPERATIONAL'),
    ('pbac', false, 'Enables the PBAC feature.', 'OPERATIONAL'),
    ('restriction-schedule', false, NULL, 'RELEASE'),
    ('salesforce-crm-tasker', false, 'Whether to use tasker for Salesforce CRM event creation or not on a team/user basis.', 'OPERATIONAL'),
    ('team-booking-page-cache', false, 'Enable to cache event-type and team data for team booking pages', 'OPERATIONAL'),
    ('teams', true, 'Enable teams for this instance', 'OPERATIONAL'),
    ('tiered-support-chat', false, 'Enable Tiered Support Chat - Allow users to access different levels of support chat based on their subscription tier.', 'OPERATIONAL'),
    ('use-api-v2-for-team-slots', false, 'Whether to use API v2 for fetching team schedule slots.', 'OPERATIONAL'),
    ('webhooks', true, 'Enable webhooks for this instance', 'OPERATIONAL'),
    ('workflow-smtp-emails', false, 'Whether to use SMTP for workflow emails or SendGrid on a team/user basis.', 'OPERATIONAL'),
    ('workflows', true, 'Enable workflows for this instance', 'OPERATIONAL');
