{# The bytes and packets of every pair in flow_chords are those of the date's raw flows. #}
with telemetry as (
    {{ rows_of_run(ref('stg_telemetry__flow')) }}
),

chords as (
    {{ rows_of_run(ref('flow_chords')) }}
),

raw as (
    select
        srcip,
        dstip,
        run_date,
        sum(ibyt) as ibyt,
        sum(ipkt) as ipkt
    from telemetry
    group by srcip, dstip, run_date
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
        and chords.run_date = raw.run_date
where
    raw.srcip is null
    or coalesce(chords.ibyt, -1) <> coalesce(raw.ibyt, -1)
    or coalesce(chords.ipkt, -1) <> coalesce(raw.ipkt, -1)
