using System.Globalization;

namespace Weir.Bench.Measure;

/// <summary>Memory of a process as the kernel counts it.</summary>
internal static class ProcessMemory
{
    /// <summary>Resident bytes of this process.</summary>
    public static long ResidentBytes() => ResidentBytes("self");

    /// <summary>Resident bytes of another process.</summary>
    public static long ResidentBytes(int processId) => ResidentBytes(processId.ToString(CultureInfo.InvariantCulture));

    private static long ResidentBytes(string process)
    {
        var line = File.ReadLines($"/proc/{process}/status").First(text => text.StartsWith("VmRSS:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;
    }
}
