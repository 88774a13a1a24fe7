# What arrived: a Kafka message becomes one event for each reading in it, with its event time, delay and lateness.
#
# Nothing but series, time, source and mode is read of a reading: whether its values are right is for Spark to say.
# What has no series or no time, or is no JSON, becomes an event with the tag "unreadable", the reason, and all of it.
# Parameter "streams": the dictionary streams.json (python -m elk.dictionary writes it), by topic.
require "java"
require "json"
require "time"

def register(params)
  streams = params["streams"]
  @streams = streams.is_a?(Hash) ? streams : JSON.parse(File.read(streams))
  @zones = @streams.values.flat_map { |stream| stream["times"].map { |time| time["naive"] } }.compact.uniq
                   .to_h { |name| [name, java.time.ZoneId.of(name)] }
  @instant = /\A(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?\s*(Z|[+-]\d\d:?\d\d)?\z/i
end

def filter(event)
  message = event.get("message").to_s
  place = event.get("[@metadata][kafka]") || {}
  stream = @streams[place["topic"]]
  elements(message).map { |position, record, whole| arrival(place, stream, position, record, whole) }
end

# [position, record, all of it as text]; a record that could not be read is a String: the reason.
def elements(message)
  return [[0, "the message is empty, expected a reading as JSON", message]] if message.empty?
  parsed = JSON.parse(message, allow_nan: true)
  return [[0, parsed.is_a?(Hash) ? parsed : "expected a reading: a JSON object", message]] unless parsed.is_a?(Array)
  return [[0, "the array is empty, expected readings", message]] if parsed.empty?
  parsed.each_with_index.map do |record, position|
    [position, record.is_a?(Hash) ? record : "expected a reading: a JSON object", JSON.generate(record, allow_nan: true)]
  end
rescue JSON::ParserError, EncodingError
  [[0, "not JSON", message]]
end

def arrival(place, stream, position, record, whole)
  arrived_ms = place["timestamp"].to_i
  fields = {
    "@timestamp" => iso(arrived_ms), "arrived_at" => iso(arrived_ms), "stream" => stream && stream["stream"],
    "topic" => place["topic"], "partition" => place["partition"], "offset" => place["offset"], "position" => position
  }
  begin
    raise ArgumentError, record if record.is_a?(String)
    raise ArgumentError, "no stream has this topic, expected one of #{@streams.keys.join(", ")}" if stream.nil?
    fields.update(judged(stream, record, arrived_ms))
  rescue StandardError, java.lang.Exception => error
    fields.update("tags" => ["unreadable"], "reason" => error.message.to_s[0, 500], "message" => whole)
  end
  fields["@metadata"] = {
    "id" => [place["topic"], place["partition"], place["offset"], position].join("|"),
    "index" => "arrivals-#{Time.at(arrived_ms / 1000).utc.strftime("%Y.%m")}"
  }
  made = LogStash::Event.new(fields.reject { |_, value| value.nil? })
  made.remove("@version")
  made
end

def judged(stream, record, arrived_ms)
  mode = record.fetch("mode", "live")
  unless ["live", "backfill", "replay"].include?(mode)
    raise ArgumentError, "mode: read #{shown(mode)}, expected live, backfill or replay"
  end
  event_ms = event_time(stream, record)
  delay_s = (arrived_ms - event_ms) / 1000.0 - stream["interval_s"]
  source = record["source"]
  {
    "series" => series(stream, record), "source" => source.is_a?(String) ? source : nil, "mode" => mode,
    "event_time" => iso(event_ms), "delay_s" => delay_s, "late" => mode == "live" && delay_s > stream["allowed_delay_s"]
  }
end

def series(stream, record)
  stream["series"].map do |names|
    name = names.find { |one| record.key?(one) }
    raise ArgumentError, "#{names.first}: absent, expected a series" if name.nil?
    unless record[name].is_a?(String) && !record[name].empty?
      raise ArgumentError, "#{name}: read #{shown(record[name])}, expected a series"
    end
    record[name]
  end.join("/")
end

# Milliseconds since 1970, the rest cut off, as the stores keep them.
def event_time(stream, record)
  time = stream["times"].find { |one| record.key?(one["field"]) }
  raise ArgumentError, "#{stream["times"].first["field"]}: absent, expected an event time" if time.nil?
  value = record[time["field"]]
  if time["unix"] && value.is_a?(Numeric)
    unless value.between?(0, 253_402_300_799) # the end of the year 9999: Elasticsearch takes no more
      raise ArgumentError, "#{time["field"]}: read #{shown(value)}, expected seconds since 1970"
    end
    (value * 1000).floor
  elsif value.is_a?(String) && (found = @instant.match(value))
    milliseconds(found, time["naive"])
  else
    raise ArgumentError, "#{time["field"]}: read #{shown(value)}, expected an ISO-8601 time"
  end
end

def milliseconds(found, naive)
  local = java.time.LocalDateTime.of(*found.captures[0..4].map { |digits| digits.to_i(10) }, found[6].to_i)
  milli = found[7] ? found[7].ljust(3, "0")[0, 3].to_i : 0
  offset = if found[8]
    java.time.ZoneOffset.of(found[8].upcase.sub(/\A([+-]\d\d):?(\d\d)\z/, '\1:\2'))
  elsif naive
    known = @zones[naive].getRules.getValidOffsets(local)
    raise ArgumentError, "read #{found[0]}, a time that the clock change of #{naive} leaves out" if known.empty?
    known[0] # of a repeated hour's two, the earlier instant
  else
    raise ArgumentError, "read #{found[0]}, expected a time with its offset"
  end
  seconds = local.toEpochSecond(offset)
  unless seconds.between?(-62_135_596_800, 253_402_300_799) # Elasticsearch takes no more either
    raise ArgumentError, "read #{found[0]}, in UTC it is before the year 1 or after 9999"
  end
  seconds * 1000 + milli
end

def iso(milliseconds)
  Time.at(milliseconds / 1000, milliseconds % 1000, :millisecond).utc.iso8601(3)
end

def shown(value)
  JSON.generate(value, allow_nan: true)[0, 100]
end

test "a live reading that came in time" do
  parameters do
    { "streams" => { "openweathermap" => {
      "stream" => "weather", "allowed_delay_s" => 1800, "interval_s" => 0, "series" => [["region"]],
      "times" => [{ "field" => "timestamp", "naive" => nil, "unix" => false }] } } }
  end
  in_event do
    { "message" => '{"source":"s","region":"Bergen","timestamp":"2026-11-24T04:00:00+01:00","temperature_c":5.0}',
      "@metadata" => { "kafka" => { "topic" => "openweathermap", "partition" => 1, "offset" => 7,
                                    "timestamp" => 1795489230500 } } }
  end
  expect("one event") { |events| events.size == 1 }
  expect("the delay from event time to arrival") { |events| events[0].get("delay_s") == 30.5 }
  expect("in time") { |events| events[0].get("late") == false }
  expect("its place as the id") { |events| events[0].get("[@metadata][id]") == "openweathermap|1|7|0" }
  expect("the month of arrival") { |events| events[0].get("[@metadata][index]") == "arrivals-2026.11" }
  expect("no values") { |events| events[0].get("temperature_c").nil? && events[0].get("message").nil? }
end

test "an array with a late reading, a backfilled one, and what is none" do
  parameters do
    { "streams" => { "production" => {
      "stream" => "production", "allowed_delay_s" => 60, "interval_s" => 3600,
      "series" => [["price_area"], ["production_group"]],
      "times" => [{ "field" => "start_time", "naive" => nil, "unix" => false }] } } }
  end
  in_event do
    { "message" => '[{"price_area":"NO5","production_group":"hydro","start_time":"2026-11-24T02:00:00Z"},' \
                   '{"price_area":"NO5","production_group":"wind","start_time":"2026-11-24T02:00:00Z","mode":"backfill"},' \
                   '{"price_area":"NO5","start_time":"2026-11-24T02:00:00Z"}]',
      "@metadata" => { "kafka" => { "topic" => "production", "partition" => 0, "offset" => 3,
                                    "timestamp" => 1795489261000 } } }
  end
  expect("one event an element") { |events| events.map { |one| one.get("position") } == [0, 1, 2] }
  expect("the delay from the interval's end") { |events| events[0].get("delay_s") == 61.0 }
  expect("only what is live is late") { |events| events.map { |one| one.get("late") } == [true, false, nil] }
  expect("the series of its fields") { |events| events[0].get("series") == "NO5/hydro" }
  expect("the rest unreadable, whole") do |events|
    events[2].get("tags") == ["unreadable"] && events[2].get("message").include?("NO5") &&
      events[2].get("reason").include?("production_group")
  end
end

test "no JSON" do
  parameters { { "streams" => {} } }
  in_event { { "message" => "{half", "@metadata" => { "kafka" => { "topic" => "x", "timestamp" => 1795489261000 } } } }
  expect("unreadable, whole") do |events|
    events.size == 1 && events[0].get("tags") == ["unreadable"] && events[0].get("message") == "{half"
  end
end
