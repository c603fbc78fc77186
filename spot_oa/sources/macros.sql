-- What the expressions of descriptions may use beside DuckDB's own functions.
-- Times: epoch seconds or milliseconds with or without a fraction, or ISO 8601; UTC if no zone is named.
create macro epoch_instant(d) as case
    when d between -99999999999 and 99999999999 then make_timestamp(cast(floor(d * 1000000) as bigint))
    when d between 0 and 99999999999999 then make_timestamp(cast(floor(d * 1000) as bigint))
end;
create macro instant(x) as coalesce(
    epoch_instant(case
        when regexp_full_match(x, '[+-]?\d+(\.\d*)?([eE][+-]?\d+)?') then try_cast(x as decimal(28, 9))
    end),
    timezone('UTC', case
        when regexp_full_match(x, '\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(\.\d*)? ?(Z|[+-]([01]\d|2[0-3])(:?[0-5]\d)?)?')
        then try_cast(regexp_replace(x, ' ([Z+-])', '\1') as timestamptz)
    end)
);
create macro second_text(t) as strftime(t, '%Y-%m-%d %H:%M:%S');
create macro date_text(t) as strftime(t, '%Y-%m-%d');
create macro clock_text(t) as strftime(t, '%H:%M:%S');
create macro unix_second(t) as epoch_us(date_trunc('second', t)) // 1000000;
create macro frame_text(t) as
    strftime(t, '%b ') || lpad(cast(day(t) as varchar), 2, ' ') || strftime(t, ' %Y %H:%M:%S.%f000 UTC');
create macro seconds_between(first, last) as cast(epoch_us(last) - epoch_us(first) as double) / 1000000;
-- TCP flags as UAPRSF.
create macro flag_if(set_, letter) as case when set_ then letter else '.' end;
create macro flags_of_history(h) as '.'
    || flag_if(contains(h, 'A') or contains(h, 'H'), 'A') || flag_if(contains(h, 'D'), 'P')
    || flag_if(contains(h, 'R'), 'R') || flag_if(contains(h, 'S'), 'S') || flag_if(contains(h, 'F'), 'F');
create macro flags_of_bits(b) as
    flag_if(b & 32 > 0, 'U') || flag_if(b & 16 > 0, 'A') || flag_if(b & 8 > 0, 'P')
    || flag_if(b & 4 > 0, 'R') || flag_if(b & 2 > 0, 'S') || flag_if(b & 1 > 0, 'F');
create macro hex(x) as case
    when regexp_full_match(x, '(0x)?[0-9a-fA-F]{1,8}') then try_cast('0x' || replace(x, '0x', '') as integer)
end;
-- Addresses in texts.
create macro is_ipv4(x) as regexp_full_match(x, '(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}');
create macro is_ipv6(x) as regexp_full_match(x, '[0-9a-fA-F]*:[0-9a-fA-F]*:[0-9a-fA-F:.]*');
create macro dns_name(x) as case when x = '.' then x else regexp_replace(x, '\.$', '') end;
create macro dns_class(c) as case when c between 0 and 65535 then printf('0x%08x', c) end;
create macro first_ipv4(answers) as coalesce(list_filter(answers, lambda a: is_ipv4(a))[1], '');
-- About what a capture would have shown: Ethernet, IP and UDP headers, the question, the answers.
create macro frame_length(client, name, answers) as
    60 + case when contains(client, ':') then 20 else 0 end + length(name)
    + coalesce(list_sum(list_transform(answers, lambda a:
        12 + case when is_ipv4(a) then 4 when is_ipv6(a) then 16 else length(a) + 2 end
    )), 0);
-- URIs as proxies see them: absolute, host:port after CONNECT, or a path.
create macro is_absolute(u) as regexp_matches(u, '^[A-Za-z][A-Za-z0-9+.\-]*://');
create macro uri_scheme(u) as lower(nullif(regexp_extract(u, '^([A-Za-z][A-Za-z0-9+.\-]*)://', 1), ''));
create macro uri_authority(u) as nullif(regexp_replace(
    regexp_extract(u, '^[A-Za-z][A-Za-z0-9+.\-]*://([^/?#]*)', 1), '^.*@', ''
), '');
create macro uri_rest(u) as regexp_replace(u, '^[A-Za-z][A-Za-z0-9+.\-]*://[^/?#]*', '');
create macro host_of(authority) as nullif(regexp_replace(authority, ':[0-9]*$', ''), '');
create macro port_of(authority) as nullif(regexp_extract(authority, ':([0-9]+)$', 1), '');
create macro or_dash(x) as coalesce(nullif(x, ''), '-');
create macro path_of(rest) as or_dash(regexp_extract(rest, '(?s)^[^?]*'));
create macro query_of(rest) as or_dash(regexp_extract(rest, '(?s)\?.*$'));
create macro extension_of(path) as or_dash(regexp_extract(path, '\.([A-Za-z0-9]+)$', 1));
-- As spot-ingest builds it.
create macro full_uri(host, path, query) as host
    || case when length(path) > 1 then path else '' end || case when length(query) > 1 then query else '' end;
create macro trimmed(x) as trim(x, concat(' ', chr(9)));
-- What no column holds: it becomes NULL there, and is counted.
create macro unfit() as 9223372036854775807;
-- A number in a text field, as spot_oa.numbers reads it.
create macro number_of(x) as case
    when trimmed(x) <> '' then coalesce(case
        when regexp_full_match(trimmed(x), '[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?')
        then try_cast(trunc(try_cast(trimmed(x) as double)) as bigint)
    end, unfit())
end;
create macro port_number(x) as case
    when regexp_full_match(x, '0x[0-9a-fA-F]{1,8}') then coalesce(hex(x), unfit()) else number_of(x)
end;
