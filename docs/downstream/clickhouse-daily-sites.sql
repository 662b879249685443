-- PV, UV and IP of each site and day.
SELECT
    day,
    site,
    uniqExactMerge(page_views) AS page_views,
    uniqExactIfMerge(visitors) AS visitors,
    uniqExactIfMerge(addresses) AS addresses
FROM daily_sites
GROUP BY day, site
ORDER BY day, site
