# A line of a part's log (ECS JSON) becomes an event with the fields of the template service-logs.
#
# Fields that the template does not name are kept under "labels". A line that is no JSON object is kept as it is, with
# the tag "unstructured".
require "digest"
require "json"
require "time"

def register(params)
  # The fields of the template that a line may hold, by their path.
  @known = %w[message log.level log.logger service.name process.pid error.type error.message error.stack_trace
              stream series query]
  @dropped = %w[@timestamp ecs.version]
end

def filter(event)
  line = event.get("message").to_s
  return [] if line.strip.empty?
  record = parsed(line)
  at = instant(record && record["@timestamp"]) || Time.at(event.get("@timestamp").to_f)
  fields = record ? structured(record) : { "message" => line, "tags" => ["unstructured"] }
  fields["service"] ||= { "name" => "skywatt-#{part(event)}" } if file(event)
  fields["@timestamp"] = at.utc.iso8601(3)
  fields["@metadata"] = { "id" => id(event, line), "index" => "service-logs-#{at.utc.strftime("%Y.%m")}" }
  made = LogStash::Event.new(fields)
  made.remove("@version")
  [made]
end

def parsed(line)
  record = JSON.parse(line)
  record.is_a?(Hash) ? record : nil
rescue JSON::ParserError, EncodingError
  nil
end

# ECS writes a field as "log.level" or as {"log": {"level": …}}: both become the latter.
def structured(record)
  flat = {}
  flatten(record, "", flat)
  fields = {}
  labels = {}
  flat.each do |path, value|
    next if @dropped.include?(path) || value.nil?
    next labels[path] = value.to_s[0, 1000] unless @known.include?(path)
    *parents, name = path.split(".")
    parents.reduce(fields) { |inner, parent| inner[parent] ||= {} }[name] = path == "process.pid" ? value.to_i : value.to_s
  end
  fields["labels"] = labels unless labels.empty?
  fields
end

def flatten(record, prefix, flat)
  record.each do |name, value|
    value.is_a?(Hash) ? flatten(value, "#{prefix}#{name}.", flat) : flat["#{prefix}#{name}"] = value
  end
end

def instant(text)
  text.is_a?(String) ? Time.iso8601(text) : nil
rescue ArgumentError
  nil
end

# The same line of the same file has the same id, also when the file was moved meanwhile and is read again.
def id(event, line)
  place = event.get("[@metadata][kafka]")
  return [place["topic"], place["partition"], place["offset"]].join("|") if place
  Digest::SHA256.hexdigest("#{part(event)}\n#{line}")[0, 32]
end

def part(event)
  File.basename(file(event).to_s).sub(/\.log(\.\d+)?\z/, "")
end

def file(event)
  event.get("path") || event.get("[log][file][path]")
end

test "a structured line" do
  parameters { {} }
  in_event do
    { "message" => '{"@timestamp":"2026-11-25T03:28:28.258Z","log.level":"info","message":"hello","ecs.version":"1.6.0",' \
                   '"log":{"logger":"a.b"},"process":{"pid":9},"series":"Bergen","asked":["x",1],' \
                   '"service":{"name":"skywatt-producer"}}',
      "path" => "/var/log/skywatt/producer.log" }
  end
  expect("level and logger together") { |events| events[0].get("log") == { "level" => "info", "logger" => "a.b" } }
  expect("its own time") { |events| events[0].get("@timestamp").to_s == "2026-11-25T03:28:28.258Z" }
  expect("what is not known as a label") { |events| events[0].get("labels") == { "asked" => '["x", 1]' } }
  expect("the month") { |events| events[0].get("[@metadata][index]") == "service-logs-2026.11" }
  expect("nothing of the file") { |events| events[0].get("path").nil? && events[0].get("host").nil? }
end

test "a line that is no JSON, and an empty one" do
  parameters { {} }
  in_event do
    [{ "message" => "Traceback (most recent call last):", "path" => "/var/log/skywatt/alerts.log.1" },
     { "message" => "  ", "path" => "/var/log/skywatt/alerts.log" }]
  end
  expect("one event, as it is") do |events|
    events.size == 1 && events[0].get("message").start_with?("Traceback") && events[0].get("tags") == ["unstructured"]
  end
  expect("its part by the file") { |events| events[0].get("[service][name]") == "skywatt-alerts" }
end
