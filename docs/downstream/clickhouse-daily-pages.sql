-- PV, UV and IP of each article and day.
SELECT
    day,
    site,
    page,
    uniqExactMerge(page_views) AS page_views,
    uniqExactIfMerge(visitors) AS visitors,
    uniqExactIfMerge(addresses) AS addresses
FROM daily_pages
GROUP BY day, site, page
ORDER BY day, site, page
