-- PV, UV and IP of each site and day.
SELECT
    `day`,
    `site`,
    COUNT(DISTINCT `id`) AS page_views,
    COUNT(DISTINCT `visitor_id`) AS visitors,
    COUNT(DISTINCT `client_key`) AS addresses
FROM page_views
GROUP BY `day`, `site`
ORDER BY `day`, `site`
