"""WHEN: jobs and schedules. Belongs here: times, time zone, selections. Must not: data logic."""
