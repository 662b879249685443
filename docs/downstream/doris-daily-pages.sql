-- PV, UV and IP of each article and day.
SELECT
    `day`,
    `site`,
    `page`,
    COUNT(DISTINCT `id`) AS page_views,
    COUNT(DISTINCT `visitor_id`) AS visitors,
    COUNT(DISTINCT `client_key`) AS addresses
FROM page_views
GROUP BY `day`, `site`, `page`
ORDER BY `day`, `site`, `page`
