-- The server's clock itself: what it is compared with is the point, so no parameter here.
SELECT clock_timestamp()
