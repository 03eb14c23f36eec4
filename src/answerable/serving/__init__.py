"""What every door needs that serves: sockets, heads, peers, issuers' keys, records.

A door translates one protocol; what it stands on is the same for each and stands here.
"""
