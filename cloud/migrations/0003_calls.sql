-- A call was answered if any leg of it was, however that leg ended; it was talked as long as on the longest such leg.
DROP VIEW call;
CREATE VIEW call AS
SELECT session,
       max(contract)                                  AS contract,
       min(coalesce(started_unix, received))          AS started,
       min(started_unix) IS NOT NULL                  AS has_clock,
       min(answered_unix)                             AS answered,
       max(coalesce(ended_unix, received))            AS ended,
       count(*)                                       AS legs,
       sum(side = 'box')                              AS box_legs,
       sum(side = 'cloud')                            AS cloud_legs,
       count(answered_mono) > 0                       AS was_answered,
       max(ended_mono - answered_mono)                AS talked_ms,
       coalesce(max(state = 'lost' AND answered_mono IS NOT NULL), 0) AS was_lost
  FROM call_leg
 GROUP BY session;
