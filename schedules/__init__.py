"""WHEN: jobs, schedules and sensors. Belongs here: times, time zone, selections. Must not: data logic."""
