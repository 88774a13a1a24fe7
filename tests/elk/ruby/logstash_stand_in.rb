# As much of Logstash as a script of a ruby filter sees: loads it as Logstash does, runs its tests, and filters events.
#
# ruby logstash_stand_in.rb test SCRIPT           one line of JSON an expectation: {"test", "expects", "passed"}
# ruby logstash_stand_in.rb filter SCRIPT PARAMS  events from standard input, each a line of JSON, to standard output:
#                                                 a line each, [{"fields", "metadata"}, …]
require "json"
require "time"

module LogStash
  # The event API that scripts use; a field is named as "name" or "[outer][inner]".
  class Event
    def initialize(fields = {})
      @fields = JSON.parse(JSON.generate(fields)) # what Logstash's event takes: strings, numbers, arrays, hashes
      @fields["@timestamp"] = Time.iso8601(@fields.fetch("@timestamp", Time.now.utc.iso8601(3)))
      @fields["@version"] ||= "1"
      @fields["@metadata"] ||= {}
    end

    def get(name)
      value = path(name).reduce(@fields) { |inner, key| inner.is_a?(Hash) ? inner[key] : nil }
      value.is_a?(Time) ? Timestamp.new(value) : value
    end

    def remove(name)
      *parents, last = path(name)
      inner = parents.reduce(@fields) { |hash, key| hash.is_a?(Hash) ? hash[key] : nil }
      inner.delete(last) if inner
    end

    def to_hash
      @fields.reject { |name, _| name == "@metadata" }.merge("@timestamp" => get("@timestamp").to_s)
    end

    def metadata
      @fields["@metadata"]
    end

    private

    def path(name)
      name.start_with?("[") ? name.scan(/\[([^\[\]]+)\]/).flatten : [name]
    end
  end

  # An event's time.
  class Timestamp
    def initialize(time)
      @time = time
    end

    def to_f
      @time.to_f
    end

    def to_s
      @time.utc.iso8601(3)
    end
  end
end

# What a script's file is evaluated in: its `def`s become methods of this object alone.
class Script
  attr_reader :tests

  def initialize(file, collect)
    @tests = tests = []
    define_singleton_method(:test) { |name, &block| tests << ScriptTest.new(file, name, &block) if collect }
    instance_eval(File.read(file), file, 1)
  end
end

class ScriptTest
  def initialize(file, name, &block)
    @script = Script.new(file, false)
    @name = name
    @expectations = []
    instance_eval(&block)
  end

  def parameters
    @script.register(yield)
  end

  def in_event
    given = yield
    @events = (given.is_a?(Hash) ? [given] : given).map { |fields| LogStash::Event.new(fields) }
  end

  def expect(name, &block)
    @expectations << [name, block]
  end

  def run
    made = @events.flat_map { |event| @script.filter(event) }
    raise "filter gave #{made.inspect}" unless made.all? { |event| event.is_a?(LogStash::Event) }
    @expectations.each do |name, block|
      puts JSON.generate("test" => @name, "expects" => name, "passed" => block.call(made) ? true : false)
    end
  end
end

command, file, parameters = ARGV
if command == "test"
  Script.new(file, true).tests.each(&:run)
else
  $stdout.sync = true
  script = Script.new(file, false)
  script.register(JSON.parse(parameters || "{}"))
  $stdin.each_line do |line|
    made = script.filter(LogStash::Event.new(JSON.parse(line)))
    puts JSON.generate(made.map { |event| { "fields" => event.to_hash, "metadata" => event.metadata } })
  end
end
