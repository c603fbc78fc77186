{# The bytes and packets of every pair in flow_chords are those of the date's raw flows. #}
with raw as (
    select
        srcip,
        dstip,
        y,
        m,
        d,
        sum(ibyt) as ibyt,
        sum(ipkt) as ipkt
    from {{ ref('stg_telemetry__flow') }}
    where {{ in_run_dates() }}
    group by srcip, dstip, y, m, d
),

chords as (
    select * from {{ ref('flow_chords') }}
    where {{ in_run_dates() }}
)

select
    chords.ip_threat,
    chords.srcip,
    chords.dstip,
    chords.ibyt,
    raw.ibyt as raw_ibyt,
    chords.ipkt,
    raw.ipkt as raw_ipkt
from chords
left join raw
    on
        chords.srcip = raw.srcip
        and chords.dstip = raw.dstip
        and {{ same_date('chords', 'raw') }}
where
    raw.srcip is null
    or coalesce(chords.ibyt, -1) <> coalesce(raw.ibyt, -1)
    or coalesce(chords.ipkt, -1) <> coalesce(raw.ipkt, -1)
