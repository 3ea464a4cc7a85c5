using Weir.Core.Model;

namespace Weir.Ingest;

/// <summary>Dictionaries for open cuts, used again when their cut has ended.</summary>
/// <remarks>Any thread; once for each cut.</remarks>
internal sealed class StringDictionaryPool(int stringsMax)
{
    private readonly Lock _lock = new();
    private readonly Stack<StringDictionary> _free = new();

    /// <summary>Dictionaries rented and not yet returned.</summary>
    public int RentedCount { get; private set; }

    /// <summary>Takes an empty dictionary.</summary>
    public StringDictionary Rent()
    {
        lock (_lock)
        {
            RentedCount++;
            return _free.TryPop(out var strings) ? strings : new StringDictionary(stringsMax);
        }
    }

    /// <summary>Gives a dictionary back; its cut must not be read any more.</summary>
    public void Return(StringDictionary strings)
    {
        strings.Clear();
        lock (_lock)
        {
            RentedCount--;
            _free.Push(strings);
        }
    }
}
