module socle/verify

go 1.19
