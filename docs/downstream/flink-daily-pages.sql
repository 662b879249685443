-- PV, UV and IP of each article and day, updated by every event, late ones too.
SELECT
    `day`,
    `site`,
    `page`,
    COUNT(DISTINCT `id`) AS page_views,
    COUNT(DISTINCT `visitor_id`) AS visitors,
    COUNT(DISTINCT `client_key`) AS addresses
FROM view_events
WHERE `is_page_view`
GROUP BY `day`, `site`, `page`
